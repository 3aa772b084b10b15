// What threads sleep for besides mutexes: a semaphore, a condition variable, a lock that readers
// share, an event, and a word that changes. All are made of a WaitList each; whoever waits longest
// goes first, and what is given goes to who waits and not to who has just come. With a deadline the
// answer is whether it came in time.
//
// Contexts that may wait, for what may; what gives (release, notify, set, wake) goes up to irq.
#pragma once

#include "core/task/sync/mutex.hpp"
#include "core/task/sync/threads.hpp"
#include "hal/layout.hpp"

#include <algorithm>
#include <utility>

namespace twofold::task {

/// So many may go on. O(1) but for the spin lock.
///
/// Source: E. W. Dijkstra, "Over de sequentialiteit van procesbeschrijvingen" (EWD-35), 1962.
template<ThreadSystem T>
class Semaphore {
public:
    static constexpr u32 count_max = 0x7fff'ffff;

    Semaphore(T& threads, u32 count) : m_list(threads), m_count(count) {
        CHECK(count <= count_max);
    }

    /// Takes one, when there is one.
    void acquire() { static_cast<void>(take(std::nullopt)); }
    bool acquire_until(Nanos deadline) { return take(deadline); }
    bool try_acquire() {
        sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
        if (mutant(Mutant::waits_semaphore_last) && m_count == 1) {
            return false;
        }
        return take_now();
    }
    /// Gives `count`. Errors: out_of_range, and nothing is given, if there would be more than
    /// count_max. O(given to who waits), interrupts off for one at a time. Who is given the last
    /// one may end the semaphore.
    Result<void> release(u32 count = 1) {
        bool is_first = true;
        do {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            if (is_first && count > count_max - m_count - m_promised) {
                return Error::out_of_range;
            }
            m_promised += is_first ? count : 0;
            is_first = false;
            count -= give(count);
        } while (count != 0);
        return {};
    }
    /// How many there are to take. O(1).
    u32 count() {
        sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
        return m_count;
    }

private:
    /// One to who waits the longest, or all where nobody does. Returns how many.
    u32 give(u32 promised) {
        m_list.lock().assert_held();
        bool const somebody_waits = !m_list.empty();
        u32 const given = somebody_waits ? std::min(promised, 1u) : promised;
        m_promised -= given;
        if (mutant(Mutant::waits_semaphore_double) && somebody_waits) {
            m_count += given;
        }
        if (!somebody_waits) {
            m_count += given;
        } else if (given != 0) {
            m_list.grant(m_list.front());
        }
        return given;
    }
    bool take_now() {
        bool const has = m_count > 0; // and so nobody waits
        m_count -= has ? 1 : 0;
        return has;
    }
    bool take(std::optional<Nanos> deadline) {
        sync::require(sync::Ability::wait);
        Waiter<T> waiter(m_list.threads().current());
        {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            if (take_now()) {
                return true;
            }
            m_list.enqueue(waiter);
        }
        return m_list.await(waiter, deadline);
    }

    WaitList<T> m_list;
    u32 m_count;        ///< guarded by the list's lock, and the next
    u32 m_promised = 0; ///< by calls of `release` that have not ended
};

/// Something that is guarded by a mutex may have changed.
///
/// Source: C. A. R. Hoare, "Monitors: an operating system structuring concept", CACM 17(10), 1974,
/// as Mesa has it: who is woken looks again (B. Lampson and D. Redell, CACM 23(2), 1980).
template<ThreadSystem T>
class Condition {
public:
    explicit Condition(T& threads) : m_list(threads) {}

    /// Gives `mutex`, which the caller holds, back, sleeps until it is notified, and takes the
    /// mutex again. Who notifies after the mutex was given back is not missed.
    void wait(Mutex<T>& mutex, std::source_location where = std::source_location::current())
        REQUIRES(mutex) {
        static_cast<void>(wait(mutex, std::optional<Nanos>(), where));
    }
    bool wait_until(
        Mutex<T>& mutex,
        Nanos deadline,
        std::source_location where = std::source_location::current()) REQUIRES(mutex) {
        return wait(mutex, std::optional(deadline), where);
    }
    void notify_one() { notify(1); }
    void notify_all() { notify(~u32{0}); }

private:
    bool wait(Mutex<T>& mutex, std::optional<Nanos> deadline, std::source_location where)
        REQUIRES(mutex) {
        Waiter<T> waiter(m_list.threads().current());
        if (mutant(Mutant::waits_condition_order)) {
            mutex.unlock();
            enqueue(waiter);
        } else {
            enqueue(waiter);
            mutex.unlock();
        }
        bool const in_time = m_list.await(waiter, deadline);
        mutex.lock(where);
        return in_time;
    }
    void enqueue(Waiter<T>& waiter) {
        sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
        m_list.enqueue(waiter);
    }
    void notify(u32 count) {
        m_list.grant_in_turn(count, [] {}, [](Waiter<T>&) { return true; });
    }

    WaitList<T> m_list;
};

/// Held by many readers, or by one writer. In the order of arrival: who reads waits behind a writer
/// that waits, so neither starves. Nothing is lent to who holds it. Who lets several readers in
/// does so with interrupts off for one at a time; until that call returns the lock lasts.
///
/// Source: P. J. Courtois, F. Heymans and D. L. Parnas, "Concurrent control with readers and
/// writers", CACM 14(10), 1971, for the problem.
template<ThreadSystem T>
class SharedLock {
public:
    explicit SharedLock(T& threads) : m_list(threads) {}
    SharedLock(SharedLock const&) = delete;
    SharedLock& operator=(SharedLock const&) = delete;
    ~SharedLock() { CHECK(m_readers == 0 && !m_is_written); }

    void lock() { static_cast<void>(take(true, std::nullopt)); }
    bool lock_until(Nanos deadline) { return take(true, deadline); }
    void unlock() {
        let_in([this] {
            CHECK(m_is_written);
            m_is_written = false;
        });
    }
    void lock_shared() { static_cast<void>(take(false, std::nullopt)); }
    bool lock_shared_until(Nanos deadline) { return take(false, deadline); }
    void unlock_shared() {
        let_in([this] {
            CHECK(m_readers > 0);
            --m_readers;
        });
    }

private:
    bool may_enter(bool is_exclusive) const {
        bool const is_alone = m_readers == 0 || mutant(Mutant::waits_shared_readers);
        return !m_is_written && (!is_exclusive || is_alone);
    }
    void enter(bool is_exclusive) {
        m_is_written = is_exclusive;
        m_readers += is_exclusive ? 0 : 1;
    }
    bool next_may_enter() {
        m_list.lock().assert_held();
        return !m_list.empty() && may_enter(m_list.front().is_exclusive);
    }
    /// Calls `change()` under the lock, and lets in who is then at the front, and the readers
    /// behind a reader.
    template<class Change>
    void let_in(Change const& change) {
        bool is_first = true;
        bool is_over = false;
        while (!is_over) {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            if (std::exchange(is_first, false)) {
                change();
            }
            if (next_may_enter()) {
                Waiter<T>& next = m_list.front();
                enter(next.is_exclusive);
                m_list.grant(next);
            }
            is_over = !next_may_enter();
        }
    }
    bool take(bool is_exclusive, std::optional<Nanos> deadline) {
        sync::require(sync::Ability::wait);
        Waiter<T> waiter(m_list.threads().current());
        waiter.is_exclusive = is_exclusive;
        {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            if (m_list.empty() && may_enter(is_exclusive)) {
                enter(is_exclusive);
                return true;
            }
            m_list.enqueue(waiter);
        }
        bool const in_time = m_list.await(waiter, deadline);
        if (!in_time && !mutant(Mutant::waits_shared_timeout)) {
            let_in([] {}); // who waited behind a writer
        }
        return in_time;
    }

    WaitList<T> m_list;
    u32 m_readers = 0; ///< guarded by the list's lock, and the next
    bool m_is_written = false;
};

/// Something has happened, until it is reset: all who wait go on, and who comes later does not
/// wait.
template<ThreadSystem T>
class Event {
public:
    explicit Event(T& threads) : m_list(threads) {}

    void wait() { static_cast<void>(wait(std::optional<Nanos>())); }
    bool wait_until(Nanos deadline) { return wait(std::optional(deadline)); }
    /// O(waiters), interrupts off for one at a time. Where one alone waits, it may end the event as
    /// soon as it goes on; where several do, the event lasts until this returns.
    void set() {
        auto const begin = [this] {
            m_list.lock().assert_held();
            m_is_set = true;
        };
        m_list.grant_in_turn(~u32{0}, begin, [](Waiter<T>&) { return true; });
    }
    void reset() {
        sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
        m_is_set = false;
    }

private:
    bool wait(std::optional<Nanos> deadline) {
        sync::require(sync::Ability::wait);
        Waiter<T> waiter(m_list.threads().current());
        bool was_set = mutant(Mutant::waits_event_unchecked) && m_is_set;
        {
            sync::SpinLockGuard const guard(m_list.lock(), sync::save_interrupts);
            if (mutant(Mutant::waits_event_unchecked) ? was_set : m_is_set) {
                return true;
            }
            m_list.enqueue(waiter);
        }
        return m_list.await(waiter, deadline);
    }

    WaitList<T> m_list;
    bool m_is_set = false; ///< guarded by the list's lock
};

enum class WordWait : u8 {
    woken,
    changed, ///< the word was not what was expected: nobody has waited
    timed_out,
};

/// Waiting for a word to change, by its address (after Linux's futex). A word needs nothing but
/// itself while nobody waits for it; `buckets` lists serve all words. Who changes a word wakes
/// those who wait for it afterwards; who waits looks at the word under the same lock, so that none
/// is missed.
///
/// Source: H. Franke, R. Russell and M. Kirkwood, "Fuss, futexes and furwocks", Ottawa Linux
/// Symposium, 2002.
template<ThreadSystem T, usize buckets = 64>
class WaitTable {
public:
    static_assert(std::has_single_bit(buckets));

    explicit WaitTable(T& threads) : WaitTable(threads, std::make_index_sequence<buckets>()) {}

    /// Sleeps if `word` is `expected`, until somebody wakes it. O(1) but for the spin lock.
    WordWait
    wait(Atomic<u32> const& word, u32 expected, std::optional<Nanos> deadline = std::nullopt) {
        sync::require(sync::Ability::wait);
        WaitList<T>& list = list_of(word);
        Waiter<T> waiter(list.threads().current());
        waiter.key = &word;
        bool is_early = mutant(Mutant::waits_word_unchecked);
        if (is_early && word.load(acquire) != expected) {
            return WordWait::changed;
        }
        {
            sync::SpinLockGuard const guard(list.lock(), sync::save_interrupts);
            if (!is_early && word.load(acquire) != expected) {
                return WordWait::changed;
            }
            list.enqueue(waiter);
        }
        return list.await(waiter, deadline) ? WordWait::woken : WordWait::timed_out;
    }

    /// Wakes those who wait for `word`, `count` at most, the longest waiting first. Returns how
    /// many. O(waiters of the bucket) for each.
    u32 wake(Atomic<u32> const& word, u32 count) {
        return list_of(word).grant_in_turn(
            count, [] {}, [&word](Waiter<T> const& waiter) { return waiter.key == &word; });
    }

private:
    template<usize... indices>
    WaitTable(T& threads, std::index_sequence<indices...>)
        : m_lists{((void)indices, WaitList<T>(threads))...} {}

    WaitList<T>& list_of(Atomic<u32> const& word) {
        // Fibonacci hashing (Knuth, volume 3, section 6.4) of what tells words apart.
        constexpr u64 golden = 0x9e37'79b9'7f4a'7c15;
        u64 const hash = (hal::kernel_address(&word).value >> 2) * golden;
        return m_lists[(hash >> 32) % buckets];
    }

    WaitList<T> m_lists[buckets];
};

} // namespace twofold::task
