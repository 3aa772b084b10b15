// The hosted machine's interrupt flag: a byte of the per-CPU block; no system call, no locked
// instruction, no fence. A signal that comes while it is off leaves its mark in a second byte, on
// the same thread, so that turning it on sees the mark in program order.
#pragma once

#include "hal/hosted/cpu_block.hpp"
#include "hal/interrupt_types.hpp"

namespace hal {

struct Interrupt {
    static InterruptState disable() {
        InterruptState const before = state();
        hosted::set_flag<hosted::enabled_flag>(false); // what is guarded stays behind the flag
        return before;
    }
    static void restore(InterruptState before) {
        if (before == InterruptState::disabled) {
            hosted::set_flag<hosted::enabled_flag>(false);
            return;
        }
        hosted::set_flag<hosted::enabled_flag>(true);
        if (hosted::read_flag<hosted::attention_flag>()) [[unlikely]] {
            hosted::deliver_pending();
        }
    }
    static void poll() {
        if (hosted::read_flag<hosted::attention_flag>()) [[unlikely]] {
            hosted::deliver_pending();
        }
    }
    static InterruptState state() {
        return hosted::read_flag<hosted::enabled_flag>() ? InterruptState::enabled
                                                         : InterruptState::disabled;
    }
};

} // namespace hal
