// The kernel's heap: the step of the start-up that opens it, and the command that shows it.
#pragma once

#include "core/boot/command.hpp"

namespace twofold::boot {

/// Opens the heap in the heap window. A step of the start-up.
Result<void> open_heap(Kernel& kernel);

/// The command `heap`.
u8 show_heap(CommandContext& context);

} // namespace twofold::boot
