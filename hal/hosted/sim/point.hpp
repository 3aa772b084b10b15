// The points of the simulator's kernel. See virtual_time.hpp.
#pragma once

#include "hal/hosted/sim/virtual_time.hpp"

namespace hosted {

/// One operation: its time passes, and others may run before it happens. Any context; the interrupt
/// flag stays as it is, but where it is set interrupts may come.
template<SimOperation operation>
[[gnu::always_inline]] inline void sim_point() {
    bool is_overdrawn;
    u64 cost;
    asm volatile("movl %%gs:%c2, %k0\n\tsubq %0, %%gs:%c3"
                 : "=&r"(cost), "=@ccs"(is_overdrawn)
                 : "i"(virtual_time_offset + offsetof(VirtualTime, costs_ns) +
                       static_cast<usize>(operation) * sizeof(u32)),
                   "i"(virtual_time_offset + offsetof(VirtualTime, left_ns))
                 : "memory");
    if (is_overdrawn) [[unlikely]] {
        sim_reached();
    }
}

/// One turn of a spin.
[[gnu::always_inline]] inline void sim_pause() {
    bool gives_way;
    asm volatile("movb %%gs:%c1, %0"
                 : "=q"(gives_way)
                 : "i"(virtual_time_offset + offsetof(VirtualTime, spins_give_way))
                 : "memory");
    if (gives_way) [[unlikely]] {
        sim_spun();
        return;
    }
    sim_point<SimOperation::pause>();
}

/// So much time passes.
[[gnu::always_inline]] inline void sim_charge(u64 cost_ns) {
    bool is_overdrawn;
    asm volatile("subq %1, %%gs:%c2"
                 : "=@ccs"(is_overdrawn)
                 : "r"(cost_ns), "i"(virtual_time_offset + offsetof(VirtualTime, left_ns))
                 : "memory");
    if (is_overdrawn) [[unlikely]] {
        sim_reached();
    }
}

} // namespace hosted
