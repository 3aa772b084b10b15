// What spinning locks share: the tags that say what becomes of interrupts while one is held, and
// the check that a lock is not taken in two ways.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/context_scope.hpp"

namespace twofold::sync {

/// Interrupts go off before the lock is taken and are as before once it is given back.
struct SaveInterrupts {};
inline constexpr SaveInterrupts save_interrupts;
/// The caller has interrupts off already, which is checked.
struct InterruptsAreOff {};
inline constexpr InterruptsAreOff interrupts_are_off;
/// Interrupts stay as they are: the lock is none that a handler takes.
struct InterruptsStayOn {};
inline constexpr InterruptsStayOn interrupts_stay_on;

/// How a lock has been taken so far.
class LockUse {
public:
    /// A handler that takes a lock which somebody holds with interrupts on would wait for ever for
    /// the one that it interrupted: found by the first use of either kind after one of the other.
    /// The caller stays on its processor. Nothing in builds without checks. O(1).
    void note() {
        if constexpr (checks_enabled) {
            CpuState const* const state = cpu_state();
            if (state == nullptr) {
                return;
            }
            bool const in_handler = state->context >= ExecutionContext::irq;
            if (in_handler || hal::Interrupt::state() == hal::InterruptState::enabled) {
                u32 const use = in_handler ? in_handlers : with_interrupts_on;
                if (u32 const before = m_use.load(relaxed); before != use) [[unlikely]] {
                    CHECK(before == unused);
                    m_use.store(use, relaxed);
                }
            }
        }
    }

private:
    // Numbers, which the model checker can print.
    static constexpr u32 unused = 0, in_handlers = 1, with_interrupts_on = 2;

    Atomic<u32> m_use{unused};
};

} // namespace twofold::sync
