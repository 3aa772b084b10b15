// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/interrupt.hpp"

namespace hal {

struct Interrupt {
    static InterruptState disable();
    static void restore(InterruptState state);
    static InterruptState state();
};

} // namespace hal
