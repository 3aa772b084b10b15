// An executor and the thread that runs it.
#pragma once

#include "core/async/executor.hpp"
#include "core/memory/memory.hpp"
#include "core/task/sync/threads.hpp"

namespace twofold::async {

/// `Clock::now()` is the time that `S::park_until` knows. A thread's `stack` is its own.
template<task::ThreadSystem S, class Clock>
class ThreadExecutor {
public:
    explicit ThreadExecutor(S& threads) : m_threads(threads) {}
    ThreadExecutor(ThreadExecutor const&) = delete;
    ThreadExecutor& operator=(ThreadExecutor const&) = delete;

    Executor& executor() { return m_executor; }

    /// Runs tasks in the calling thread until `end` was called. `give_way()` is called between two
    /// batches where there is more to do. Context thread.
    template<class GiveWay>
    void run(GiveWay const& give_way) {
        m_thread = &m_threads.current();
        memory::KernelStack const& stack = m_thread->stack();
        m_executor.set_stack(stack.base, stack.size);
        while (true) {
            bool const has_more = m_executor.turn();
            if (m_end.has_come) {
                return;
            }
            if (has_more) {
                give_way();
            } else if (m_executor.rest()) {
                park();
            }
        }
    }
    /// `run` returns. Once, when no task is left. Any context but nmi.
    void end() {
        if (m_end.note(Runnable::asked)) {
            m_executor.add(m_end);
        }
    }

private:
    struct End : Runnable {
        End()
            : Runnable(
                  [](Runnable& self) { static_cast<End&>(self).has_come = true; }, From::note) {}

        bool has_come = false;
    };

    void park() {
        if (auto const deadline = m_executor.next_deadline()) {
            static_cast<void>(m_threads.park_until(*deadline));
        } else {
            m_threads.park();
        }
    }

    S& m_threads;
    typename S::Thread* m_thread = nullptr; ///< from `run` on; who rests has one
    End m_end;
    Executor m_executor{
        {.now = [](void*) { return Clock::now(); },
         .wake =
             [](void* object) {
                 auto& self = *static_cast<ThreadExecutor*>(object);
                 self.m_threads.unpark(*self.m_thread);
             },
         .object = this}};
};

} // namespace twofold::async
