// The end of a kernel whose invariants are broken.
#pragma once

#include "hal/upcalls.hpp"

#include <string_view>

namespace twofold::boot {

/// Prints cause, symbolised stack, the last events and how to reproduce; ends the run with
/// status 70. Any context; works before the kernel object exists, and once more while it is already
/// panicking.
[[noreturn]] void panic(std::string_view cause);

/// The same for a fault that nobody expected, with its diagnosis.
[[noreturn]] void panic_on_fault(hal::Fault const& fault);

/// The running processor stops for good, because another one panics.
[[noreturn]] void stop_here();

} // namespace twofold::boot
