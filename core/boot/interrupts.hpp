// Interrupts and time, from what firmware's tables say of controllers and clocks to the upcall by
// which an interrupt arrives.
#pragma once

#include "core/boot/command.hpp"
#include "core/processor/processor.hpp"

namespace twofold::boot {

/// Hands the machine's interrupt controllers over to the kernel and lets interrupts through. A
/// machine without is no error: the kernel lives without, and says so. A step of the start-up.
Result<void> open_interrupts(Kernel& kernel);

/// Measures the machine's clocks. A machine without is no error. A step of the start-up.
Result<void> open_clock(Kernel& kernel);

} // namespace twofold::boot
