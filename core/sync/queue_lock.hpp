// A queue lock, for places where many processors meet: first come, first served, and each waits on
// a word of its own, in its guard. So a holder that gives the lock back disturbs the next one
// alone, where all who wait for a ticket lock read the word that it writes. Its price is a longer
// way for those who meet nobody; docs/sync.md has the figures of both.
//
// Everything else is as with SpinLock: guards and their tags, ranks, and urgent calls that are
// served while waiting.
//
// Source: J. Mellor-Crummey and M. Scott, "Algorithms for scalable synchronization on
// shared-memory multiprocessors", ACM TOCS 9(1), 1991, section 2.4 (algorithm 5). The numbered
// memory orders are each shown to be needed by `./twofold relacy`; docs/sync.md says what the
// others are for.
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

class CAPABILITY("queue lock") QueueLock {
public:
    explicit QueueLock(LockRank rank) : m_rank(rank) {}
    QueueLock(QueueLock const&) = delete;
    QueueLock& operator=(QueueLock const&) = delete;

    LockRank rank() const { return m_rank; }

    /// Tells the analysis that the caller holds the lock where it cannot see it: in a function
    /// object that is called under the guard. Costs nothing.
    void assert_held() const ASSERT_CAPABILITY(this) {}

private:
    friend class QueueLockGuard;

    /// Who holds the lock or waits for it. Others write to it between `acquire` and `release`.
    struct Node {
        Atomic<Node*> next; ///< who came after it
        Atomic<u32> waits;
    };

    void acquire(Node& node) ACQUIRE() {
        note_acquire(m_rank);
        m_use.note();
        node.next.store(nullptr, relaxed);
        Node* const before = m_last.exchange(
            &node,
            joined(twofold::release, numbered(OrderSite::queue_lock_take, twofold::acquire)));
        if (before == nullptr) {
            return;
        }
        if (mutant(Mutant::sync_queue_order)) {
            before->next.store(&node, twofold::release);
        }
        node.waits.store(1, relaxed);
        before->next.store(&node, twofold::release);
        while (node.waits.load(numbered(OrderSite::queue_lock_wait, twofold::acquire)) != 0) {
            relax();
        }
    }

    void release(Node& node) RELEASE() {
        Node* next = node.next.load(twofold::acquire);
        if (next == nullptr) {
            Node* last = &node;
            if (m_last.compare_exchange(
                    last, nullptr, numbered(OrderSite::queue_lock_leave, twofold::release),
                    relaxed)) {
                note_release(m_rank);
                return;
            }
            do { // somebody has come, and is about to say so
                hal::Cpu::pause();
                next = node.next.load(twofold::acquire);
            } while (next == nullptr);
        }
        next->waits.store(0, numbered(OrderSite::queue_lock_pass, twofold::release));
        note_release(m_rank);
    }

    Atomic<Node*> m_last{nullptr}; ///< who came last; null: the lock is free
    LockRank m_rank;
    LockUse m_use;
};

/// Holds a lock for a scope. Any context but a fault inside a holder, and with interrupts_stay_on
/// none above no_preempt; waits at most for the holders before it.
class SCOPED_CAPABILITY [[nodiscard]] QueueLockGuard {
public:
    QueueLockGuard(QueueLock& lock, SaveInterrupts) ACQUIRE(lock)
        : m_lock(lock), m_before(hal::Interrupt::disable()) {
        m_lock.acquire(m_node);
    }
    QueueLockGuard(QueueLock& lock, InterruptsAreOff) ACQUIRE(lock)
        : m_lock(lock), m_before(hal::InterruptState::disabled) {
        CHECK(hal::Interrupt::state() == hal::InterruptState::disabled);
        m_lock.acquire(m_node);
    }
    QueueLockGuard(QueueLock& lock, InterruptsStayOn) ACQUIRE(lock)
        : m_lock(lock), m_before(hal::InterruptState::disabled) {
        m_no_preempt.emplace();
        m_lock.acquire(m_node);
    }
    ~QueueLockGuard() RELEASE() {
        m_lock.release(m_node);
        if (m_before == hal::InterruptState::enabled) {
            hal::Interrupt::restore(m_before);
        }
    }
    QueueLockGuard(QueueLockGuard const&) = delete;
    QueueLockGuard& operator=(QueueLockGuard const&) = delete;

private:
    QueueLock& m_lock;
    QueueLock::Node m_node;
    hal::InterruptState m_before;
    std::optional<NoPreemptGuard> m_no_preempt; ///< its end comes after the lock's
};

} // namespace twofold::sync
