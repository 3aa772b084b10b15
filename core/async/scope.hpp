// A scope: what tasks are made and run in. It says where their frames come from, on which executor
// they run, and when all of them are to end; and it ends when all of them have.
#pragma once

#include "core/async/frame.hpp"
#include "core/async/job.hpp"

namespace twofold::async {

class ScopeEnd;

/// The first parameter of every coroutine, behind the object of a member function. Lives until
/// somebody has waited for its end (scope_end.hpp), or nothing was ever spawned in it.
class Scope : private Family, private Runnable {
public:
    /// Both outlive the scope, and `frames` all frames.
    Scope(Executor& executor, FrameSource const& frames)
        : Family(&ended),
          Runnable(&take_note, From::note),
          m_executor(executor),
          m_frames(frames) {}
    ~Scope() { CHECK(m_open.load(acquire) == 1); }

    Executor& executor() const { return m_executor; }
    FrameSource const& frames() const { return m_frames; }

    /// Asks all that run in it, and all that will, to end. Any context but nmi; O(1) here, O(tasks)
    /// on the executor.
    void cancel();

    // ---- spawn and those who wait for the end ----

    /// Runs `job`, from `first` on, as one of the scope's. Any context but nmi.
    void start(Job& job, std::coroutine_handle<> first);
    /// `wait` is granted once all that was spawned has ended; true where it has already, and it
    /// will not be. One at a time.
    bool wait_for_end(Wait& wait);
    /// Its executor's thread: asks all to end. What a task that waits for the end is asked, too.
    void cancel_here() { cancel_all(); }

private:
    static void ended(Family& self, Job& job);
    static void take_note(Runnable& self);
    void leave();

    Executor& m_executor;
    FrameSource const& m_frames;
    Wait* m_waiter = nullptr;
    Atomic<u32> m_open{1}; ///< jobs and notes under way, and one until the end is waited for
};

} // namespace twofold::async
