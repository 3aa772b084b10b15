// A queue of tasks and threads that wait, and its lock: what semaphores, events and channels are
// made of. Who waits longest goes first. Who is granted was taken out under the lock, and is
// granted behind it, where nobody else may: so a wake-up holds no lock, and whoever withdraws one
// either takes it out or leaves it to its grant.
#pragma once

#include "core/async/blocking.hpp"
#include "core/async/task.hpp"
#include "core/sync/sync.hpp"

namespace twofold::async {

class WaitList {
public:
    sync::SpinLock& lock() RETURN_CAPABILITY(m_lock) { return m_lock; }

    bool empty() const REQUIRES(m_lock) { return m_waits.empty(); }
    void push(Wait& wait) REQUIRES(m_lock) { m_waits.push_back(wait); }
    /// The longest waiting; null where nobody waits. It is granted once the lock is given back.
    Wait* pop() REQUIRES(m_lock) { return m_waits.empty() ? nullptr : &m_waits.pop_front(); }

    /// True where it will not be granted.
    bool withdraw(Wait& wait) EXCLUDES(m_lock) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (!wait.is_linked()) {
            return false;
        }
        m_waits.remove(wait);
        return true;
    }
    /// Calls `begin()` under the lock, from when on nobody comes any more, and grants all who wait,
    /// one at a time, with `outcome`. Who was granted last may end the list, also who found that
    /// nothing has to be waited for where nobody does. O(waiting), interrupts off for one at a
    /// time.
    template<class Begin>
    void grant_all(Begin const& begin, Result<void> outcome) EXCLUDES(m_lock) {
        bool is_first = true;
        bool is_over = false;
        while (!is_over) {
            Wait* next = nullptr;
            {
                sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
                if (std::exchange(is_first, false)) {
                    begin();
                }
                next = pop();
                is_over = m_waits.empty();
            }
            if (next != nullptr) {
                next->grant(outcome);
            }
        }
    }

private:
    sync::SpinLock m_lock{sync::LockRank::task};
    IntrusiveList<Wait> m_waits GUARDED_BY(m_lock);
};

/// What a task awaits of a `Source`: `take_or_wait(wait)` gives it (true, with the wait's outcome)
/// or queues the wait; `withdraw(wait)` as above. Errors: cancelled; those of the source.
template<class Source>
class [[nodiscard]] Taking : public TaskWait {
public:
    explicit Taking(Source& source, void* item = nullptr)
        : TaskWait(&withdraw, item), m_source(source) {}

    static bool await_ready() noexcept { return false; }
    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        Job& job = awaiting.promise().job();
        if (!job.suspend_unless_cancelled(awaiting, *this)) {
            return false;
        }
        if (m_source.take_or_wait(*this)) {
            job.resume_at_once();
            return false;
        }
        return true;
    }
    Result<void> await_resume() const { return outcome(); }

private:
    static bool withdraw(TaskWait& self) {
        return static_cast<Taking&>(self).m_source.withdraw(self);
    }

    Source& m_source;
};

/// The same for a thread. Errors: timed_out; those of the source.
template<task::ThreadSystem S, class Source>
Result<void>
take_blocking(S& threads, Source& source, std::optional<Nanos> deadline, void* item = nullptr) {
    return block(
        threads, [&](Wait& wait) { return source.take_or_wait(wait); },
        [&](Wait& wait) { return source.withdraw(wait); }, deadline, item);
}

} // namespace twofold::async
