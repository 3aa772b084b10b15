// The hosted machine's interrupt flag: a word of the per-CPU block, no system call.
#pragma once

#include "hal/hosted/cpu_block.hpp"
#include "hal/interrupt_types.hpp"

namespace hal {

struct Interrupt {
    static InterruptState disable() {
        InterruptState const before = state();
        set(false); // what is guarded stays behind the flag
        return before;
    }
    static void restore(InterruptState before) { set(before == InterruptState::enabled); }
    static void poll() {}
    static InterruptState state() {
        bool enabled;
        asm volatile("movb %%gs:%c1, %0" : "=q"(enabled) : "i"(flag));
        return enabled ? InterruptState::enabled : InterruptState::disabled;
    }

private:
    static constexpr usize flag = offsetof(hosted::CpuBlock, interrupts_enabled);
    static void set(bool enabled) {
        asm volatile("movb %1, %%gs:%c0" : : "i"(flag), "qi"(enabled) : "memory");
    }
};

} // namespace hal
