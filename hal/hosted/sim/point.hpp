// The points of the simulator's kernel. See virtual_time.hpp.
#pragma once

#include "hal/hosted/sim/virtual_time.hpp"

namespace hosted {

/// Where the cost of an operation lies behind GS.
constexpr usize cost_offset(SimOperation operation) {
    return virtual_time_offset + offsetof(VirtualTime, costs) +
           static_cast<usize>(operation) * sizeof(u32);
}

/// One operation: its time passes, and others may run before it happens. Any context; the interrupt
/// flag stays as it is, but where it is set interrupts may come.
template<SimOperation operation>
[[gnu::always_inline]] inline void sim_point() {
    bool is_overdrawn;
    u64 cost;
    asm volatile("movl %%gs:%c2, %k0\n\tsubq %0, %%gs:%c3"
                 : "=&r"(cost), "=@ccs"(is_overdrawn)
                 : "i"(cost_offset(operation)),
                   "i"(virtual_time_offset + offsetof(VirtualTime, left))
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

/// A call that moves so many times 16 bytes: one point.
[[gnu::always_inline]] inline void sim_copy(u64 steps) {
    bool is_overdrawn;
    u64 cost = steps;
    u64 begin;
    asm volatile("movl %%gs:%c3, %k1\n\timulq %1, %0\n\tmovl %%gs:%c4, %k1\n\taddq %1, %0\n\t"
                 "subq %0, %%gs:%c5"
                 : "+&r"(cost), "=&r"(begin), "=@ccs"(is_overdrawn)
                 : "i"(cost_offset(SimOperation::copied_bytes)),
                   "i"(cost_offset(SimOperation::copy)),
                   "i"(virtual_time_offset + offsetof(VirtualTime, left))
                 : "memory");
    if (is_overdrawn) [[unlikely]] {
        sim_reached();
    }
}

/// So much time passes.
[[gnu::always_inline]] inline void sim_charge(u64 cost_ns) {
    bool is_overdrawn;
    u64 const cost = cost_ns * VirtualTime::parts_of_ns;
    asm volatile("subq %1, %%gs:%c2"
                 : "=@ccs"(is_overdrawn)
                 : "r"(cost), "i"(virtual_time_offset + offsetof(VirtualTime, left))
                 : "memory");
    if (is_overdrawn) [[unlikely]] {
        sim_reached();
    }
}

} // namespace hosted
