// Staying on this processor for a scope, with interrupts on: what is guarded belongs to threads and
// work alone, so a handler that comes in between touches none of it. The scope for what lasts
// longer than a few hundred instructions. Second halves of handlers wait for its end.
//
// A thread that may be preempted may find itself on another processor after any instruction. So
// looking up the processor's state and changing it are one step, with interrupts off.
#pragma once

#include "core/sync/context_scope.hpp"

namespace twofold::sync {

/// The caller stays on its processor while it lives, and is not preempted; interrupts are as they
/// were. Not in an interrupt handler, which might have come over such a scope. Scopes nest. Before
/// there is a kernel it does nothing. O(1).
class [[nodiscard]] NoPreemptGuard {
public:
    NoPreemptGuard() {
        InterruptGuard const guard;
        m_state = cpu_state();
        if (m_state != nullptr) {
            m_outer = m_state->context;
            if constexpr (checks_enabled) {
                CHECK(may(m_outer, Ability::share));
            }
            m_state->context = ExecutionContext::no_preempt;
        }
    }
    ~NoPreemptGuard() {
        if (m_state != nullptr) {
            m_state->context = m_outer;
            // From here on the caller may be on another processor. Whoever took it away has seen to
            // the work that waited here, so that a look at the wrong state costs at most the way.
            handler_fence();
            if (m_state->work_waits) [[unlikely]] {
                run_work(m_outer);
            }
        }
    }
    NoPreemptGuard(NoPreemptGuard const&) = delete;
    NoPreemptGuard& operator=(NoPreemptGuard const&) = delete;

private:
    /// At the end of the outermost scope of a thread. Where interrupts are off it is not over yet.
    [[gnu::noinline]] static void run_work(ExecutionContext outer) {
        if (outer == ExecutionContext::thread &&
            hal::Interrupt::state() == hal::InterruptState::enabled) {
            InterruptGuard const guard;
            CpuState& here = *cpu_state();
            if (here.work_waits && here.run_work != nullptr) {
                here.run_work(here);
            }
        }
    }

    CpuState* m_state = nullptr;
    ExecutionContext m_outer = ExecutionContext::thread;
};

} // namespace twofold::sync
