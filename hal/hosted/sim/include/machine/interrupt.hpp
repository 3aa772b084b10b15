// The interrupt flag of a simulated processor: a byte of the per-CPU block. Changing it is a point
// (hal/hosted/sim/point.hpp); what is pending is taken there, and nowhere in between.
#pragma once

#include "hal/hosted/cpu_block.hpp"
#include "hal/hosted/sim/point.hpp"
#include "hal/interrupt_types.hpp"

namespace hal {

struct Interrupt {
    static InterruptState disable() {
        InterruptState const before = state();
        hosted::set_flag<hosted::enabled_flag>(false);
        hosted::sim_point<hosted::SimOperation::interrupt_flag>();
        return before;
    }
    static void restore(InterruptState before) {
        hosted::sim_point<hosted::SimOperation::interrupt_flag>();
        if (before == InterruptState::disabled) {
            hosted::set_flag<hosted::enabled_flag>(false);
            return;
        }
        hosted::set_flag<hosted::enabled_flag>(true);
        poll();
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
