// Spawning: a task runs for itself, and others may wait for its end.
#pragma once

#include "core/async/blocking.hpp"
#include "core/async/task.hpp"

namespace twofold::async {

/// Waits for the end of what was spawned. In the frame that awaits.
class JoinWait : public TaskWait {
public:
    explicit JoinWait(SpawnedJob* job) : TaskWait(&withdraw), m_job(job) {}

    bool await_ready() const noexcept { return m_job == nullptr || m_job->has_ended(); }
    template<TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        Job& waiting = awaiting.promise().job();
        if (!waiting.suspend_unless_cancelled(awaiting, *this)) {
            return false;
        }
        if (m_job->wait_for_end(*this)) {
            waiting.resume_at_once();
            return false;
        }
        return true;
    }

private:
    static bool withdraw(TaskWait& self) { return static_cast<JoinWait&>(self).m_job->withdraw(); }

    SpawnedJob* m_job;
};

/// A task that was spawned, and what it returns. Whoever lets go of it lets the task run on: it
/// ends with its scope. One context at a time.
template<class T>
class [[nodiscard]] JoinHandle {
public:
    explicit JoinHandle(typename Task<T>::Handle frame) : m_frame(frame) {}
    JoinHandle(JoinHandle&& other) noexcept : m_frame(std::exchange(other.m_frame, nullptr)) {}
    JoinHandle& operator=(JoinHandle&&) = delete;
    JoinHandle(JoinHandle const&) = delete;
    JoinHandle& operator=(JoinHandle const&) = delete;
    ~JoinHandle() { detach(); }

    /// Asks the task to end. Any context but nmi; O(1).
    void cancel() {
        if (m_frame != nullptr) {
            m_frame.promise().cancel();
        }
    }
    bool has_ended() const { return m_frame == nullptr || m_frame.promise().has_ended(); }
    /// Nobody will ask what it returned. Context thread.
    void detach() {
        if (auto const frame = std::exchange(m_frame, nullptr)) {
            frame.promise().let_go_of();
        }
    }

    /// `co_await handle`, or `co_await handle.join()`: waits until the task has ended; what it
    /// returned, once. Errors beside the task's own: out_of_memory (it never ran); cancelled (who
    /// waits is to end; the task runs on).
    class [[nodiscard]] Join : public JoinWait {
    public:
        explicit Join(JoinHandle& handle)
            : JoinWait(handle.m_frame != nullptr ? &handle.m_frame.promise() : nullptr),
              m_handle(handle) {}
        Awaited<T> await_resume() { return m_handle.take_value(outcome()); }

    private:
        JoinHandle& m_handle;
    };
    Join join() { return Join(*this); }
    Join operator co_await() { return join(); }

    /// The same for a thread, which sleeps until then, or `deadline`. Errors beside the task's own:
    /// out_of_memory; timed_out.
    template<task::ThreadSystem S>
    Awaited<T> wait(S& threads, std::optional<Nanos> deadline = std::nullopt) {
        Result<void> outcome;
        if (m_frame != nullptr) {
            SpawnedJob& job = m_frame.promise();
            outcome = block(
                threads, [&](Wait& wait) { return job.wait_for_end(wait); },
                [&](Wait&) { return job.withdraw(); }, deadline);
        }
        return take_value(outcome);
    }

private:
    Awaited<T> take_value(Result<void> outcome) {
        if (!outcome) {
            return outcome.error();
        }
        return m_frame != nullptr ? m_frame.promise().take_value()
                                  : Awaited<T>(Error::out_of_memory);
    }

    typename Task<T>::Handle m_frame;
};

/// Runs `task` on the scope's executor, as one of the scope's. Whoever spawns is a task of the
/// scope, or has yet to wait for its end. Any context that may let go of frames; O(1).
template<class T>
JoinHandle<T> spawn(Scope& scope, Task<T> task) {
    auto const frame = task.release();
    if (frame != nullptr) {
        scope.start(frame.promise(), frame);
    }
    return JoinHandle<T>(frame);
}

/// The same where nobody will wait for it; its frame goes when it has ended. False: it has none.
template<class T>
bool spawn_detached(Scope& scope, Task<T> task) {
    auto const frame = task.release();
    if (frame == nullptr) {
        return false;
    }
    frame.promise().begin_without_handle();
    scope.start(frame.promise(), frame);
    return true;
}

/// `co_await end_of(scope)`: waits until all that was spawned in it has ended, and asks it to end
/// if who waits is asked to. Errors: cancelled (that was so; all have ended nevertheless). One
/// waits at a time, and no task of the scope itself.
class [[nodiscard]] ScopeEnd : public TaskWait {
public:
    explicit ScopeEnd(Scope& scope) : TaskWait(&withdraw), m_scope(scope) {}

    static bool await_ready() noexcept { return false; }
    template<TaskPromise P>
    void await_suspend(std::coroutine_handle<P> awaiting) {
        Job& job = awaiting.promise().job();
        m_waiting = &job;
        if (job.is_cancelled()) {
            m_scope.cancel();
        }
        job.suspend(awaiting, *this);
        m_scope.wait_for_end(*this);
    }
    Result<void> await_resume() const {
        return m_waiting->is_cancelled() ? Result<void>(Error::cancelled) : Result<void>();
    }

private:
    static bool withdraw(TaskWait& self) {
        static_cast<ScopeEnd&>(self).m_scope.cancel();
        return false; // whoever ends last grants it
    }

    Scope& m_scope;
    Job* m_waiting = nullptr;
};
inline ScopeEnd end_of(Scope& scope) {
    return ScopeEnd(scope);
}

/// The same for a thread, which sleeps until then.
template<task::ThreadSystem S>
void wait_for_end(S& threads, Scope& scope) {
    ThreadWait<S> wait(threads);
    scope.wait_for_end(wait);
    wait.sleep();
}

} // namespace twofold::async
