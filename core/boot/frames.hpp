// The allocator of frames in the kernel: what it is built from, and the commands that show it.
#pragma once

#include "core/boot/command.hpp"

namespace twofold::boot {

/// Builds the kernel's allocator of frames from what the start-up has left, with the NUMA nodes of
/// the firmware's tables. ACPI tables stay where they are: they are read for as long as the kernel
/// runs. A step of the start-up.
Result<void> build_frames(Kernel& kernel);

/// The command `mem`.
u8 show_memory(CommandContext& context);
/// The command `frames`.
u8 show_frames(CommandContext& context);

} // namespace twofold::boot
