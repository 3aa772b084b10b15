// The hosted machine's interrupt flag: a word of the per-CPU block, no system call.
#pragma once

#include "hal/hosted/cpu_block.hpp"
#include "hal/interrupt.hpp"

namespace hal {

struct Interrupt {
    static InterruptState disable() {
        InterruptState const before = state();
        hosted::cpu_block().interrupts_enabled = false;
        asm volatile("" ::: "memory"); // what is guarded stays behind the flag
        return before;
    }
    static void restore(InterruptState before) {
        asm volatile("" ::: "memory");
        hosted::cpu_block().interrupts_enabled = before == InterruptState::enabled;
    }
    static InterruptState state() {
        return hosted::cpu_block().interrupts_enabled ? InterruptState::enabled
                                                      : InterruptState::disabled;
    }
};

} // namespace hal
