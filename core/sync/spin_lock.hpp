// A ticket lock: first come, first served. Taken by guards only; each says with a tag what becomes
// of interrupts. A lock that handlers take too is held with interrupts off, for a few hundred
// instructions at most. One that threads and work share alone is held with interrupts on; its
// holder is not preempted. No lock is taken in both ways, which builds with checks see to.
//
// Source: J. Mellor-Crummey and M. Scott, "Algorithms for scalable synchronization on
// shared-memory multiprocessors", ACM TOCS 9(1), 1991, section 2.2. The numbered memory orders are
// each shown to be needed by `./twofold relacy`.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/annotations.hpp"
#include "core/sync/interrupt_guard.hpp"
#include "core/sync/lock_rank.hpp"
#include "core/sync/lock_use.hpp"
#include "core/sync/no_preempt.hpp"
#include "core/sync/relax.hpp"

#include <optional>

namespace twofold::sync {

class CAPABILITY("spin lock") SpinLock {
public:
    explicit SpinLock(LockRank rank) : m_rank(rank) {}
    SpinLock(SpinLock const&) = delete;
    SpinLock& operator=(SpinLock const&) = delete;

    LockRank rank() const { return m_rank; }

    /// Tells the analysis that the caller holds the lock where it cannot see it: in a function
    /// object that is called under the guard. Costs nothing.
    void assert_held() const ASSERT_CAPABILITY(this) {}

    /// For the report of a panic: calls `function` with the lock held, unless somebody holds it,
    /// who may never go on; returns whether it was called. Ranks are not looked at: whoever panics
    /// holds what it holds. Never waits. Any context, interrupts off.
    template<class Function>
    bool call_in_panic(Function const& function) {
        u32 const turn = m_serving.load(twofold::acquire);
        u32 free = turn;
        if (!m_next.compare_exchange(free, turn + 1, relaxed, relaxed)) {
            return false;
        }
        function();
        m_serving.store(turn + 1, twofold::release);
        return true;
    }

private:
    friend class SpinLockGuard;
    friend class LockableSpinLock;

    void acquire() ACQUIRE() { wait_for_turn(); }
    void release() RELEASE() { end_turn(); }

    void wait_for_turn() {
        note_acquire(m_rank);
        m_use.note();
        // The ticket orders nothing: it is the wait for its turn that does.
        u32 const ticket = draw();
        u32 looks = 0;
        while (m_serving.load(numbered(OrderSite::spin_lock_acquire, twofold::acquire)) != ticket) {
            relax();
            if (++looks == 400 && mutant(Mutant::sync_spin_limited)) {
                break;
            }
        }
    }

    u32 draw() {
        if (mutant(Mutant::sync_ticket_torn)) {
            u32 const ticket = m_next.load(relaxed);
            m_next.store(ticket + 1, relaxed);
            return ticket;
        }
        return m_next.fetch_add(1, relaxed);
    }

    void end_turn() {
        // Only the holder writes this word. Whoever takes the lock then may end it.
        LockRank const rank = m_rank;
        u32 const turn = m_serving.load(relaxed);
        m_serving.store(turn + 1, numbered(OrderSite::spin_lock_release, twofold::release));
        note_release(rank);
    }

    Atomic<u32> m_next{0};    ///< the next ticket to be drawn
    Atomic<u32> m_serving{0}; ///< the ticket whose turn it is
    LockRank m_rank;
    LockUse m_use;
};

/// Holds a lock for a scope. Any context but a fault inside a holder, and with interrupts_stay_on
/// none above no_preempt; waits at most for the holders before it.
class SCOPED_CAPABILITY [[nodiscard]] SpinLockGuard {
public:
    SpinLockGuard(SpinLock& lock, SaveInterrupts) ACQUIRE(lock)
        : m_lock(lock), m_before(hal::Interrupt::disable()) {
        m_lock.acquire();
    }
    SpinLockGuard(SpinLock& lock, InterruptsAreOff) ACQUIRE(lock)
        : m_lock(lock), m_before(hal::InterruptState::disabled) {
        CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
        m_lock.acquire();
    }
    /// Not inlined: these locks are held for long, and taken in many places.
    [[gnu::noinline]] SpinLockGuard(SpinLock& lock, InterruptsStayOn) ACQUIRE(lock)
        : m_lock(lock), m_before(hal::InterruptState::disabled) {
        m_no_preempt.emplace();
        m_lock.acquire();
    }
    ~SpinLockGuard() RELEASE() {
        if (mutant(Mutant::sync_interrupts_early)) {
            hal::Interrupt::restore(m_before);
        }
        m_lock.release();
        if (m_before == hal::InterruptState::enabled) {
            hal::Interrupt::restore(m_before);
        }
    }
    SpinLockGuard(SpinLockGuard const&) = delete;
    SpinLockGuard& operator=(SpinLockGuard const&) = delete;

private:
    SpinLock& m_lock;
    hal::InterruptState m_before;
    std::optional<NoPreemptGuard> m_no_preempt; ///< its end comes after the lock's
};

/// A spin lock for a template that brings a guard of its own and asks for lock() and unlock()
/// ([thread.req.lockable.basic]), inside an InterruptGuard or a NoPreemptGuard. The analysis does
/// not follow it.
class LockableSpinLock {
public:
    explicit LockableSpinLock(LockRank rank) : m_lock(rank) {}

    void lock() {
        CHECK(
            cpu_state() == nullptr || current_context() >= ExecutionContext::no_preempt ||
            hal::Interrupt::state() == hal::InterruptState::disabled);
        m_lock.wait_for_turn();
    }
    void unlock() { m_lock.end_turn(); }

private:
    SpinLock m_lock;
};

} // namespace twofold::sync
