// What an executor does in a row, compiled as kernel code; async.cpp times it.
#pragma once

#include "core/async/async.hpp"

namespace twofold::bench {

/// An executor that is turned by who asks.
class AsyncSubject {
public:
    /// `stack` is that of who makes it and turns it.
    AsyncSubject(async::FrameSource const& frames, memory::KernelStack const& stack);
    AsyncSubject(AsyncSubject const&) = delete;
    AsyncSubject& operator=(AsyncSubject const&) = delete;
    ~AsyncSubject();

    /// So many empty tasks are spawned, and run to their end. Returns how many have ended.
    u64 spawn(u32 count);
    /// One task, `count` times: somebody who is no task wakes it, and it goes on. Returns how
    /// often.
    u64 wake(u32 count);
    /// Two tasks give way to each other. Returns how often, at least `count`.
    u64 yield(u32 count);
    /// A task awaits others that end at once, one after the other. Returns how many.
    u64 await_in_a_row(u32 count);
    /// So many tasks sleep until times in no order, and wake. Returns how many.
    u64 sleep(u32 count);

private:
    void run() {
        while (m_executor.turn()) {
        }
    }

    Nanos m_now{};
    async::Executor m_executor;
    async::FrameCache m_cache;
    async::Scope m_scope;
    std::optional<async::Waker> m_waker;
    u64 m_woken = 0;
};

} // namespace twofold::bench
