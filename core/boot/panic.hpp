// The end of a kernel whose invariants are broken.
#pragma once

#include "hal/upcalls.hpp"

#include <string_view>

namespace twofold::boot {

/// A place that a panic's report is seen at beside the console, see Kernel::panic_outlet. What is
/// called may take no lock that may be held, allocate nothing and wait for nobody; interrupts are
/// off, and the other processors were asked to stop.
struct PanicOutlet {
    void* context;
    /// A part of the report, as it is printed.
    void (*note)(void* context, std::string_view text);
    /// Shows what was noted. Once, at the report's end. A fault in it ends it.
    void (*show)(void* context);
};

/// Prints cause, symbolised stack, the last events and how to reproduce; ends the run with
/// status 70. Any context; works before the kernel object exists, and once more while it is already
/// panicking.
[[noreturn]] void panic(std::string_view cause);

/// The same for a fault that nobody expected, with its diagnosis.
[[noreturn]] void panic_on_fault(hal::Fault const& fault);

/// The running processor stops for good, because another one panics.
[[noreturn]] void stop_here();

} // namespace twofold::boot
