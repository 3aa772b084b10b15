// The kernel's own address space: the step of the start-up that adopts it, and the command that
// shows it.
#pragma once

#include "core/boot/command.hpp"

namespace twofold::boot {

/// Takes over the tables that the machine's start has built. A step of the start-up.
Result<void> open_kernel_space(Kernel& kernel);

/// The command `vm`.
u8 show_kernel_space(CommandContext& context);

} // namespace twofold::boot
