// Scopes and checks of execution contexts (execution_context.hpp).
#pragma once

#include "core/sync/interrupt_guard.hpp"
#include "core/sync/lock_rank.hpp"

namespace twofold::sync {

/// The running code's context; `thread` before there is a kernel. O(1).
inline ExecutionContext current_context() {
    InterruptGuard const guard; // the caller stays on the processor whose state it looks at
    CpuState const* const state = cpu_state();
    return state != nullptr ? state->context : ExecutionContext::thread;
}

/// The caller is about to do what not every context allows: panics where this one does not. Nothing
/// in builds without checks. O(1).
inline void require(Ability ability) {
    if constexpr (checks_enabled) {
        CHECK(may(current_context(), ability));
    }
}

/// The processor runs in another context while it lives; for `irq` and `nmi` interrupts are off
/// throughout. Scopes nest, and only inwards. O(1).
class [[nodiscard]] ContextScope {
public:
    ContextScope(CpuState& state, ExecutionContext inner) : m_state(state), m_outer(state.context) {
        CHECK(may_enter(m_outer, inner));
        CHECK(
            inner < ExecutionContext::irq ||
            hal::Interrupt::state() == hal::InterruptState::disabled);
        state.context = inner;
    }
    ~ContextScope() { m_state.context = m_outer; }
    ContextScope(ContextScope const&) = delete;
    ContextScope& operator=(ContextScope const&) = delete;

private:
    CpuState& m_state;
    ExecutionContext m_outer;
};

} // namespace twofold::sync
