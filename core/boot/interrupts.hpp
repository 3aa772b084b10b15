// Interrupts and time, from what firmware's tables say of controllers and clocks to the upcall by
// which an interrupt arrives.
#pragma once

#include "core/boot/command.hpp"
#include "core/processor/processor.hpp"

namespace twofold::boot {

struct PerCpu;

/// Hands the machine's interrupt controllers over to the kernel. A machine without is no error: the
/// kernel lives without, and says so. A step of the start-up.
Result<void> open_interrupts(Kernel& kernel);

/// Measures the machine's clocks. A machine without is no error. A step of the start-up.
Result<void> open_clock(Kernel& kernel);

/// Interrupts come to the boot processor from here on, if there are any. A step of the start-up.
Result<void> let_interrupts_through(Kernel& kernel);

/// Gives a processor the stack that second halves of interrupt handlers run on. Errors: those of
/// KernelSpace::allocate_stack.
Result<void> open_worker(Kernel& kernel, PerCpu& cpu);

} // namespace twofold::boot
