// What a processor does in a loop that waits for another one.
//
// The other may wait for this one in turn: for the acknowledgement that a translation is gone, say,
// while this one spins with interrupts off for a lock that the other holds. So whoever spins serves
// urgent calls; those take no lock and wait for nothing, and no two processors wait for each other.
#pragma once

#include "core/sync/interrupt_guard.hpp"
#include "core/sync/lock_rank.hpp"

namespace twofold::sync {

/// One turn of a loop that waits for another processor. Any context but nmi. O(1) beside the calls.
inline void relax() {
    hal::Cpu::pause();
    CpuState const* const state = cpu_state();
    if (state != nullptr && state->urgent.has_calls()) [[unlikely]] {
        InterruptGuard const guard; // the caller stays on its processor
        CpuState* const here = cpu_state();
        here->serve(*here);
    }
}

} // namespace twofold::sync
