// A semaphore, a mutex and an event that tasks wait for, and threads beside them. In the order of
// arrival; what is given goes to who waits, and not to who has just come.
#pragma once

#include "core/async/wait_list.hpp"

namespace twofold::async {

/// So many may go on. O(1) but for the spin lock.
class AsyncSemaphore {
public:
    static constexpr u32 count_max = 0x7fff'ffff;

    explicit AsyncSemaphore(u32 count) : m_count(count) { CHECK(count <= count_max); }
    AsyncSemaphore(AsyncSemaphore const&) = delete;
    AsyncSemaphore& operator=(AsyncSemaphore const&) = delete;

    /// `co_await semaphore.acquire()`: takes one. Errors: cancelled, and none was taken.
    Taking<AsyncSemaphore> acquire() { return Taking<AsyncSemaphore>(*this); }
    /// The same for a thread. Errors: timed_out.
    template<task::ThreadSystem S>
    Result<void> acquire_blocking(S& threads, std::optional<Nanos> deadline = std::nullopt) {
        return take_blocking(threads, *this, deadline);
    }
    bool try_acquire();
    /// Gives `count`, to who waits one each. Any context up to irq, with no lock of rank `task` or
    /// above. Who is given the last one may end the semaphore. Errors: out_of_range, and nothing is
    /// given, if there would be more than count_max. O(given to who waits), interrupts off for one
    /// at a time.
    Result<void> release(u32 count = 1);
    u32 count();

    // ---- Taking ----

    bool take_or_wait(Wait& wait);
    bool withdraw(Wait& wait) { return m_list.withdraw(wait); }

private:
    WaitList m_list;
    u32 m_count;        ///< guarded by the list's lock, and the next
    u32 m_promised = 0; ///< by calls of `release` that have not ended
};

/// One may go on. Handed over to who waits longest.
class AsyncMutex {
public:
    AsyncMutex() = default;

    /// Holds it until it goes. Moves; anybody may let it go, also a thread.
    class [[nodiscard]] Guard {
    public:
        explicit Guard(AsyncMutex& mutex) : m_mutex(&mutex) {}
        Guard(Guard&& other) noexcept : m_mutex(std::exchange(other.m_mutex, nullptr)) {}
        Guard& operator=(Guard&&) = delete;
        Guard(Guard const&) = delete;
        Guard& operator=(Guard const&) = delete;
        ~Guard() {
            if (m_mutex != nullptr) {
                m_mutex->m_semaphore.release().value(); // it was taken
            }
        }

    private:
        AsyncMutex* m_mutex;
    };

    class [[nodiscard]] Lock : public Taking<AsyncSemaphore> {
    public:
        explicit Lock(AsyncMutex& mutex) : Taking(mutex.m_semaphore), m_mutex(mutex) {}
        Result<Guard> await_resume() const { return m_mutex.guard_of(outcome()); }

    private:
        AsyncMutex& m_mutex;
    };
    /// `co_await mutex.lock()`: a Result<Guard>. Errors: cancelled.
    Lock lock() { return Lock(*this); }
    /// The same for a thread. Errors: timed_out.
    template<task::ThreadSystem S>
    Result<Guard> lock_blocking(S& threads, std::optional<Nanos> deadline = std::nullopt) {
        return guard_of(m_semaphore.acquire_blocking(threads, deadline));
    }
    /// Errors: busy.
    Result<Guard> try_lock() {
        return guard_of(m_semaphore.try_acquire() ? Result<void>() : Error::busy);
    }

private:
    Result<Guard> guard_of(Result<void> outcome) {
        if (!outcome) {
            return outcome.error();
        }
        return Guard(*this);
    }

    AsyncSemaphore m_semaphore{1};
};

/// Something has happened, for good: all who wait go on, and who comes later does not wait.
class Event {
public:
    Event() = default;
    Event(Event const&) = delete;
    Event& operator=(Event const&) = delete;

    /// `co_await event.wait()`. Errors: cancelled.
    Taking<Event> wait() { return Taking<Event>(*this); }
    /// The same for a thread. Errors: timed_out.
    template<task::ThreadSystem S>
    Result<void> wait_blocking(S& threads, std::optional<Nanos> deadline = std::nullopt) {
        return take_blocking(threads, *this, deadline);
    }
    /// Any context up to irq, with no lock of rank `task` or above. O(waiting), interrupts off for
    /// one at a time. Where one alone waits, it may end the event as soon as it goes on; where
    /// several do, the event lasts until this returns.
    void set();
    bool is_set();

    // ---- Taking ----

    bool take_or_wait(Wait& wait);
    bool withdraw(Wait& wait) { return m_list.withdraw(wait); }

private:
    WaitList m_list;
    bool m_is_set = false; ///< guarded by the list's lock
};

} // namespace twofold::async
