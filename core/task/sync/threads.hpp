// What the locks of this folder ask of threads, and what they keep in each. They know no
// dispatcher: the kernel's threads keep this contract, and so do a host's in tests.
//
// Who waits has a node on its own stack, in one queue, and parks until it is granted what it waits
// for; who grants it takes the node out, says so, and unparks the thread, all under the queue's
// lock. The sleeper looks under that lock too, so none is missed, its node stays as long as anybody
// may touch it, and a permit that comes for another reason costs one more look.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/lock_order.hpp"
#include "core/sync/sync.hpp"

#include <concepts>
#include <optional>

namespace twofold::task {

template<class T>
class Mutex;

/// One who waits, in a queue of whatever it waits for.
template<class T>
struct Waiter : ListNode<> {
    explicit Waiter(typename T::Thread& waiting) : thread(waiting) {}

    typename T::Thread& thread;
    u64 number = 0;            ///< in the order in which they came to a list
    bool is_granted = false;   ///< and so in no queue
    bool is_exclusive = true;  ///< SharedLock
    void const* key = nullptr; ///< WaitTable
};

/// What the locks keep in each thread. Guarded by the lock of the thread's LockDomain, but for
/// `held`, which is the thread's own.
template<class T>
struct LockState {
    struct Held {
        Mutex<T> const* mutex = nullptr;
        sync::LockTaking taking{};
    };
    static constexpr usize held_max = 16;

    Mutex<T>* blocked_on = nullptr;    ///< a mutex
    Waiter<T>* waiter = nullptr;       ///< in its queue
    IntrusiveList<Mutex<T>> contended; ///< that it holds, and others wait for
    /// With these it runs instead of its own, since somebody who waits is stronger.
    std::optional<typename T::Parameters> lent{};
    FixedVector<Held, held_max> held{}; ///< in builds with checks
};

/// Threads that can wait. `current` and what parks are called in the contexts that may wait.
template<class T>
concept ThreadSystem = requires(
    T& threads,
    typename T::Thread& thread,
    Nanos deadline,
    typename T::Parameters const& some,
    std::optional<typename T::Parameters> const& lent) {
    { threads.current() } -> std::same_as<typename T::Thread&>;
    /// Returns when the caller has a permit, which is consumed. May return for no reason.
    { threads.park() } -> std::same_as<void>;
    /// The same until `deadline`; false once it is over.
    { threads.park_until(deadline) } -> std::same_as<bool>;
    /// Gives a permit; one at most is kept. Interrupts are off, and a lock of rank `task` is held.
    { threads.unpark(thread) } -> std::same_as<void>;
    /// With what the thread was made to run, and what was said since; and whether one of two is to
    /// run before the other.
    { threads.own_parameters(thread) } -> std::convertible_to<typename T::Parameters>;
    { T::stronger(some, some) } -> std::same_as<bool>;
    /// From now on the thread runs with what it is lent, or with its own. Called as unpark is.
    { threads.lend(thread, lent) } -> std::same_as<void>;
    { threads.lock_state(thread) } -> std::same_as<LockState<T>&>;
    { threads.name(thread) } -> std::convertible_to<std::string_view>;
};

/// A queue of those who wait, and its lock: what every lock of this folder but Mutex is made of.
template<class T>
class WaitList {
public:
    explicit WaitList(T& threads) : m_threads(threads) {}

    sync::SpinLock& lock() RETURN_CAPABILITY(m_lock) { return m_lock; }
    T& threads() { return m_threads; }

    bool empty() const REQUIRES(m_lock) { return m_waiters.empty(); }
    Waiter<T>& front() const REQUIRES(m_lock) { return m_waiters.front(); }
    void enqueue(Waiter<T>& waiter) REQUIRES(m_lock) {
        waiter.number = m_next++;
        m_waiters.push_back(waiter);
    }

    /// What `waiter` waits for is its own now.
    void grant(Waiter<T>& waiter) REQUIRES(m_lock) {
        m_waiters.remove(waiter);
        waiter.is_granted = true;
        m_threads.unpark(waiter.thread);
    }
    /// Grants those who wait when it begins and of whom `grants(waiter)` says true, the longest
    /// waiting first, `count` at most; returns how many. The lock is given back after each:
    /// interrupts are off for one wake-up at a time. `begin()` is called first, under the lock. Who
    /// was granted last may end the list: it is not touched afterwards. O(waiters) for each that is
    /// granted.
    template<class Begin, class Grants>
    u32 grant_in_turn(u32 count, Begin const& begin, Grants const& grants) EXCLUDES(m_lock) {
        u64 end = 0;
        u32 granted = 0;
        auto const was_there = [&](Waiter<T>& waiter) {
            return waiter.number < end && grants(waiter);
        };
        for (bool is_over = false; !is_over;) {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            if (granted == 0) {
                begin();
                end = m_next;
            }
            Waiter<T>* const next = granted < count ? first(was_there) : nullptr;
            if (next != nullptr) {
                grant(*next);
                ++granted;
            }
            is_over = next == nullptr || granted == count || first(was_there) == nullptr;
        }
        return granted;
    }

    /// Parks until `waiter`, which was enqueued, is granted; false if that has not come by
    /// `deadline`, and it waits no longer.
    bool await(Waiter<T>& waiter, std::optional<Nanos> deadline) EXCLUDES(m_lock) {
        while (true) {
            bool in_time = true;
            if (deadline) {
                in_time = m_threads.park_until(*deadline);
            } else {
                m_threads.park();
            }
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            if (waiter.is_granted) {
                return true;
            }
            if (mutant(Mutant::waits_grant_unchecked) && in_time) {
                m_waiters.remove(waiter);
                return true;
            }
            if (!in_time) {
                m_waiters.remove(waiter);
                return false;
            }
        }
    }

private:
    template<class Fits>
    Waiter<T>* first(Fits const& fits) REQUIRES(m_lock) {
        for (Waiter<T>& waiter : m_waiters) {
            if (fits(waiter)) {
                return &waiter;
            }
        }
        return nullptr;
    }

    T& m_threads;
    sync::SpinLock m_lock{sync::LockRank::task};
    u64 m_next GUARDED_BY(m_lock) = 0; ///< the number of who comes next
    IntrusiveList<Waiter<T>> m_waiters GUARDED_BY(m_lock);
};

} // namespace twofold::task
