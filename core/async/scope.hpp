// A scope: what tasks are made and run in. It says where their frames come from, on which executor
// they run, and when all of them are to end; and it ends when all of them have.
#pragma once

#include "core/async/frame.hpp"
#include "core/async/job.hpp"

namespace twofold::async {

class ScopeEnd;

/// The first parameter of every coroutine, behind the object of a member function. Lives until
/// somebody has waited for its end (end_of, spawn.hpp), or nothing was ever spawned in it.
class Scope : private Family, private Runnable {
public:
    /// Both outlive the scope, and `frames` all frames.
    Scope(Executor& executor, FrameSource const& frames)
        : Family(&ended),
          Runnable(&take_note, From::note),
          m_executor(executor),
          m_frames(frames) {}
    ~Scope() { CHECK(m_open.load(acquire) == m_ended + 1); }

    Executor& executor() const { return m_executor; }
    FrameSource const& frames() const { return m_frames; }

    /// Asks all that run in it, and all that will, to end. Any context but nmi; O(1) here, O(tasks)
    /// on the executor.
    void cancel();

    // ---- spawn and those who wait for the end ----

    /// Runs `job`, from `first` on, as one of the scope's. Any context but nmi.
    void start(Job& job, std::coroutine_handle<> first);
    /// `wait` is granted once all that was spawned has ended. One at a time.
    void wait_for_end(Wait& wait);

private:
    static void ended(Family& self, Job& job);
    static void take_note(Runnable& self);
    void leave(u32 count);

    Executor& m_executor;
    FrameSource const& m_frames;
    Wait* m_waiter = nullptr;
    /// Jobs and notes, and one until the end is waited for; of those that are over the executor
    /// keeps the count until then, for itself.
    Atomic<u32> m_open{1};
    u32 m_ended = 0;           ///< jobs that are over, and in m_open; the executor's
    bool m_is_awaited = false; ///< the executor's
};

} // namespace twofold::async
