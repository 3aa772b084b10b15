// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/power_types.hpp"

namespace hal {

struct Power {
    static void adopt(PowerPlan const& plan);
    [[noreturn]] static void exit(u8 status);
    [[noreturn]] static void reset();
};

} // namespace hal
