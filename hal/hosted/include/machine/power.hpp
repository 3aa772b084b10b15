// The end of a run on the hosted machine: control goes back to whoever runs the machine.
#pragma once

#include "hal/power_types.hpp"

namespace hal {

struct Power {
    /// The machine takes requests at its own door; its firmware describes no registers.
    static void adopt(PowerPlan const&) {}
    [[noreturn]] static void exit(u8 status);
    [[noreturn]] static void reset();
};

} // namespace hal
