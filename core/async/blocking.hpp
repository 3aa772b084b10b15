// Threads that sleep for what tasks wait for. What they wait in does not know the difference.
#pragma once

#include "core/async/job.hpp"
#include "core/task/sync/waits.hpp"

namespace twofold::async {

/// A thread that waits. On its stack.
template<task::ThreadSystem S>
class ThreadWait : public Wait {
public:
    explicit ThreadWait(S& threads, void* item = nullptr)
        : Wait(&grant_thread, item), m_granted(threads, 0) {}

    void sleep() { m_granted.acquire(); }
    bool sleep_until(Nanos deadline) { return m_granted.acquire_until(deadline); }

private:
    static void grant_thread(Wait& self) {
        static_cast<ThreadWait&>(self).m_granted.release().value(); // once
    }

    task::Semaphore<S> m_granted;
};

/// Sleeps until it is granted what `enqueue(wait)` says it has to wait for (false), or until
/// `deadline`, if `withdraw(wait)` says then that it will not be granted any more (true). Contexts
/// that may wait. Errors: what it was granted with; timed_out.
template<task::ThreadSystem S, class Enqueue, class Withdraw>
Result<void> block(
    S& threads,
    Enqueue const& enqueue,
    Withdraw const& withdraw,
    std::optional<Nanos> deadline,
    void* item = nullptr) {
    ThreadWait<S> wait(threads, item);
    if (enqueue(wait)) {
        return wait.outcome();
    }
    if (!deadline) {
        wait.sleep();
        return wait.outcome();
    }
    if (!wait.sleep_until(*deadline)) {
        if (withdraw(wait)) {
            return Error::timed_out;
        }
        wait.sleep(); // it is being granted
    }
    return wait.outcome();
}

} // namespace twofold::async
