// The metal machine: the interrupt flag.
#pragma once

#include "hal/interrupt_types.hpp"

namespace hal {

struct Interrupt {
    static InterruptState disable() {
        InterruptState const before = state();
        asm volatile("cli" : : : "memory");
        return before;
    }
    static void restore(InterruptState before) {
        if (before == InterruptState::enabled) {
            asm volatile("sti" : : : "memory");
        } else {
            asm volatile("cli" : : : "memory");
        }
    }
    /// The processor delivers by itself.
    static void poll() {}
    static InterruptState state() {
        u64 flags;
        asm volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
        constexpr u64 interrupt_flag = u64{1} << 9;
        return (flags & interrupt_flag) != 0 ? InterruptState::enabled : InterruptState::disabled;
    }
};

} // namespace hal
