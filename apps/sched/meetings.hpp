// Where threads of the engine wait for each other: mutexes, conditions, barriers and queues of
// messages. Everything is handed to who has waited the longest.
//
// What is called for a thread answers whether it goes on; if not, it waits already.
#pragma once

#include "apps/sched/lab_thread.hpp"

namespace twofold::lab {

/// What becomes of parameters when they are lent to who holds a mutex. Null: nobody lends any.
template<sched::Policy P>
using Lending = typename P::Parameters (*)(typename P::Parameters const& parameters);

/// `EngineOfThem` wakes threads, and changes the parameters that they are scheduled with.
template<sched::Policy P, class EngineOfThem>
class Meetings {
public:
    using Thread = LabThread<P>;

    Meetings(
        EngineOfThem& engine,
        Workload const& workload,
        EngineMemory<P> const& memory,
        Lending<P> lent)
        : m_engine(engine), m_workload(workload), m_memory(memory), m_lent(lent) {}

    bool take_mutex(u32 here, Thread& thread, u32 number) {
        LabMutex<P>& mutex = m_memory.mutexes[number];
        if (mutex.holder == nullptr) {
            mutex.holder = &thread;
            return true;
        }
        mutex.waiters.push_back(thread);
        thread.blocked_on = number;
        inherit(here, *mutex.holder);
        return false;
    }
    /// A mutex that the thread does not hold stays as it is.
    void hand_over(u32 here, Thread& thread, u32 number) {
        LabMutex<P>& mutex = m_memory.mutexes[number];
        if (mutex.holder != &thread) {
            return;
        }
        mutex.holder = nullptr;
        if (!mutex.waiters.empty()) {
            mutex.holder = &mutex.waiters.pop_front();
            mutex.holder->blocked_on = nobody;
            inherit(here, *mutex.holder);
            m_engine.wake(*mutex.holder, here, thread.number);
        }
        inherit(here, thread);
    }
    /// Gives a thread what it is to run with, now that others wait for it, or do not any more; and
    /// so whoever it waits for. O(mutexes + waiters) for each.
    void inherit(u32 here, Thread& thread) {
        if (m_lent == nullptr) {
            return;
        }
        Thread* next = &thread;
        for (usize depth = 0; next != nullptr && depth < m_memory.threads.size(); ++depth) {
            Thread& changed = *next;
            next = changed.blocked_on == nobody ? nullptr
                                                : m_memory.mutexes[changed.blocked_on].holder;
            auto parameters = m_memory.parameters[changed.wants_scheduling];
            bool const was_lent = std::exchange(changed.is_lent, false);
            for (LabMutex<P> const& mutex : m_memory.mutexes) {
                if (mutex.holder == &changed) {
                    strengthen(changed, mutex, parameters);
                }
            }
            if (was_lent || changed.is_lent) {
                m_engine.change(here, changed, parameters);
            }
        }
    }
    bool wait_for(u32 here, Thread& thread, Operation const& operation) {
        m_memory.conditions[operation.object].push_back(thread);
        thread.mutex_wanted = nobody;
        if (operation.amount != no_mutex) {
            thread.mutex_wanted = static_cast<u32>(operation.amount);
            hand_over(here, thread, thread.mutex_wanted);
        }
        return false;
    }
    /// Who has waited longest goes on, or waits for its mutex from now on.
    void signal(u32 here, Thread& by, u32 condition) {
        WaitList<P>& waiters = m_memory.conditions[condition];
        if (waiters.empty()) {
            return;
        }
        Thread& thread = waiters.pop_front();
        if (thread.mutex_wanted == nobody || take_mutex(here, thread, thread.mutex_wanted)) {
            m_engine.wake(thread, here, by.number);
        }
    }
    bool meet(u32 here, Thread& thread, u32 number) {
        WaitList<P>& waiters = m_memory.barriers[number];
        if (waiters.size() + 1 < m_workload.barriers[number]) {
            waiters.push_back(thread);
            return false;
        }
        while (!waiters.empty()) {
            m_engine.wake(waiters.pop_front(), here, thread.number);
        }
        return true;
    }
    bool send(u32 here, Thread& thread, u32 number) {
        LabQueue<P>& queue = m_memory.queues[number];
        if (!queue.receivers.empty()) {
            m_engine.wake(queue.receivers.pop_front(), here, thread.number);
            return true;
        }
        if (queue.messages >= m_workload.queues[number].capacity) {
            queue.senders.push_back(thread);
            return false;
        }
        ++queue.messages;
        return true;
    }
    bool receive(u32 here, Thread& thread, u32 number) {
        LabQueue<P>& queue = m_memory.queues[number];
        if (!queue.senders.empty()) {
            m_engine.wake(
                queue.senders.pop_front(), here, thread.number); // its message takes the place
            return true;
        }
        if (queue.messages == 0) {
            queue.receivers.push_back(thread);
            return false;
        }
        --queue.messages;
        return true;
    }

    /// Nobody waits any more.
    void clear() {
        for (LabMutex<P>& mutex : m_memory.mutexes) {
            clear(mutex.waiters);
        }
        for (LabQueue<P>& queue : m_memory.queues) {
            clear(queue.senders);
            clear(queue.receivers);
        }
        for (std::span<WaitList<P>> const lists : {m_memory.conditions, m_memory.barriers}) {
            for (WaitList<P>& list : lists) {
                clear(list);
            }
        }
    }

private:
    void
    strengthen(Thread& holder, LabMutex<P> const& mutex, typename P::Parameters& parameters) const {
        for (Thread const& waiter : mutex.waiters) {
            if (P::stronger(waiter.parameters(), parameters)) {
                parameters = m_lent(waiter.parameters());
                holder.is_lent = true;
            }
        }
    }
    static void clear(WaitList<P>& list) {
        while (!list.empty()) {
            list.pop_front();
        }
    }

    EngineOfThem& m_engine;
    Workload const& m_workload;
    EngineMemory<P> m_memory;
    Lending<P> m_lent;
};

} // namespace twofold::lab
