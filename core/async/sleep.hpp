// What a task waits for that is its executor's own: time, its next turn, a waker.
#pragma once

#include "core/async/task.hpp"

namespace twofold::async {

/// `co_await sleep_until(deadline)`: not before the clock has reached it; who sleeps for an earlier
/// one goes on first, among equals who slept first. Errors: cancelled. O(log n), amortised.
class [[nodiscard]] Sleep : public TaskWait, private Deadline {
public:
    explicit Sleep(Nanos until) : TaskWait(&withdraw), Deadline(&pass), m_until(until) {}

    static bool await_ready() noexcept { return false; }
    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        Job& job = awaiting.promise().job();
        if (!job.suspend_unless_cancelled(awaiting, *this)) {
            return false;
        }
        job.executor().start(*this, m_until);
        return true;
    }
    Result<void> await_resume() const { return outcome(); }

private:
    static void pass(Deadline& self) { static_cast<Sleep&>(self).grant(); }
    static bool withdraw(TaskWait& self) {
        auto& sleep = static_cast<Sleep&>(self);
        if (!sleep.is_queued()) {
            return false; // it has come, and so the grant
        }
        if (!mutant(Mutant::async_sleeper_left)) {
            sleep.job().executor().cancel(sleep);
        }
        return true;
    }

    Nanos m_until;
};
inline Sleep sleep_until(Nanos deadline) {
    return Sleep(deadline);
}

/// The same for `duration` from when it is awaited on.
class [[nodiscard]] SleepFor {
public:
    explicit SleepFor(Nanos duration) : m_duration(duration) {}

    static bool await_ready() noexcept { return false; }
    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        m_sleep.emplace(awaiting.promise().job().executor().now() + m_duration);
        return m_sleep->await_suspend(awaiting);
    }
    Result<void> await_resume() const { return m_sleep->await_resume(); }

private:
    Nanos m_duration;
    std::optional<Sleep> m_sleep;
};
inline SleepFor sleep_for(Nanos duration) {
    return SleepFor(duration);
}

/// `co_await yield()`: lets all go first that wait for their turn. Never fails. O(1).
class [[nodiscard]] Yield {
public:
    static bool await_ready() noexcept { return false; }
    template<TaskPromise P>
    void await_suspend(std::coroutine_handle<P> awaiting) const {
        awaiting.promise().job().suspend_for_others(awaiting);
    }
    static void await_resume() noexcept {}
};
inline Yield yield() {
    return {};
}

/// Wakes one task. Cheap to copy; good as long as the task lives, so whoever is given one lets go
/// of it before the task ends.
class Waker {
public:
    explicit Waker(Job& job) : m_job(&job) {}

    /// Lets the task go on that waits in `until_woken`, or will: one wake-up is kept. Any context
    /// but nmi, with no lock of rank `scheduler` or above; lock-free, O(1).
    void wake() const { m_job->wake(); }

private:
    Job* m_job;
};

/// What a task asks of itself. Does not wait.
class JobQuestion {
public:
    static bool await_ready() noexcept { return false; }
    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        m_job = &awaiting.promise().job();
        return false;
    }

protected:
    Job& job() const { return *m_job; }

private:
    Job* m_job = nullptr;
};

/// `co_await this_waker()`: the waker of the task that runs.
class [[nodiscard]] ThisWaker : public JobQuestion {
public:
    Waker await_resume() const { return Waker(job()); }
};
inline ThisWaker this_waker() {
    return {};
}

/// `co_await until_woken()`: waits until a waker of this task was used, since it last waited so; so
/// it may return early, and whoever waits looks again. Errors: cancelled. O(1).
class [[nodiscard]] UntilWoken {
public:
    static bool await_ready() noexcept { return false; }
    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        m_job = &awaiting.promise().job();
        return m_job->suspend_until_woken(awaiting);
    }
    Result<void> await_resume() const {
        return m_job->is_cancelled() ? Result<void>(Error::cancelled) : Result<void>();
    }

private:
    Job* m_job = nullptr;
};
inline UntilWoken until_woken() {
    return {};
}

/// `co_await is_cancelled()`: whether the task that runs is to end.
class [[nodiscard]] IsCancelled : public JobQuestion {
public:
    bool await_resume() const { return job().is_cancelled(); }
};
inline IsCancelled is_cancelled() {
    return {};
}

} // namespace twofold::async
