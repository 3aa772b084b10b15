// The scenarios of the rooms, each compiled once for every machine: `./twofold twin` runs them on
// all and compares what they recorded. A scenario covers every public operation of its room.
#pragma once

#include "core/boot/boot.hpp"

#include <span>

namespace twofold::scenarios {

/// All scenarios, in the order of the ladder.
std::span<boot::Scenario const> all();

void base(boot::Recorder& record, boot::Kernel& kernel);
void trace(boot::Recorder& record, boot::Kernel& kernel);
void memory(boot::Recorder& record, boot::Kernel& kernel);
void spaces(boot::Recorder& record, boot::Kernel& kernel);
void heap(boot::Recorder& record, boot::Kernel& kernel);
void pools(boot::Recorder& record, boot::Kernel& kernel);
void frames(boot::Recorder& record, boot::Kernel& kernel);
void acpi(boot::Recorder& record, boot::Kernel& kernel);
void interrupts(boot::Recorder& record, boot::Kernel& kernel);
void timers(boot::Recorder& record, boot::Kernel& kernel);
void calls(boot::Recorder& record, boot::Kernel& kernel);
void schedule(boot::Recorder& record, boot::Kernel& kernel);
void inversion(boot::Recorder& record, boot::Kernel& kernel);
void async(boot::Recorder& record, boot::Kernel& kernel);
void pci(boot::Recorder& record, boot::Kernel& kernel);
/// An NVMe controller with a disk, which is overwritten; the machine is given one (tools/twin.py).
void nvme(boot::Recorder& record, boot::Kernel& kernel);
/// What somebody types at a screen, and what is seen there.
void screen(boot::Recorder& record, boot::Kernel& kernel);
void boot(twofold::boot::Recorder& record, twofold::boot::Kernel& kernel);

} // namespace twofold::scenarios
