// Notes rare paths in the running processor's edge registry (core/trace/flight_ring.hpp).
#pragma once

#include "core/sync/interrupt_guard.hpp"
#include "core/sync/lock_rank.hpp"

namespace twofold::sync {

/// Notes that the caller's place was reached: `note_edge(trace::Edge::frames_misused)`. Nothing
/// before there is a kernel. Any context; O(1).
inline void note_edge(trace::EdgeSite site) {
    InterruptGuard const guard;
    if (CpuState* const state = cpu_state()) {
        state->flight.push(site, hal::Cpu::cycle_counter());
    }
}

} // namespace twofold::sync
