// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/interrupt_types.hpp"

namespace hal {

struct Interrupt {
    static InterruptState disable();
    static void restore(InterruptState state);
    static InterruptState state();
    static void poll();
};

} // namespace hal
