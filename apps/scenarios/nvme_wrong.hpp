// Drivers of an NVMe controller that do what they should not: each is answered in the same way by
// QEMU's controller and by the hosted machine's.
#pragma once

#include "apps/scenarios/raw_nvme.hpp"

namespace twofold::scenarios {

/// Which controller it is, where the specification lets it choose.
enum class NvmeMaker : u8 { hosted, emulator };

/// Records what each comes to; namespace 1 has so many `blocks`, the first 32 of which are
/// overwritten. The controller is disabled before and afterwards.
void play_wrong_nvme_drivers(boot::Recorder& record, RawNvme& raw, NvmeMaker maker, u64 blocks);

} // namespace twofold::scenarios
