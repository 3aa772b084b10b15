// What the engine keeps of a thread, a processor and of what threads wait for.
#pragma once

#include "apps/sched/events.hpp"
#include "apps/sched/workload.hpp"
#include "core/sched/sched.hpp"

#include <algorithm>

namespace twofold::lab {

/// The lock of a run queue, where one host thread does everything.
struct VirtualLock {
    bool is_held = false;
    void lock() {
        CHECK(!is_held); // there is one host thread: nobody would ever give it back
        is_held = true;
    }
    void unlock() {
        CHECK(is_held);
        is_held = false;
    }
};

/// `by` after `time`. Beyond any run there is no later, however many wait for one thing.
inline Nanos later(Nanos time, i64 by) {
    return std::min(time + Nanos{by}, time_max + time_max);
}

struct WaitTag;

/// A thread that executes a program. The entity of the policy lies in its base.
template<sched::Policy P>
struct LabThread : sched::Schedulable<P>, ListNode<WaitTag> {
    u32 number = 0;
    u32 place = 0;        ///< the operation that it is at
    u64 work_left = 0;    ///< of that, in 1/1024 ns; 0: it does not compute
    bool is_time = false; ///< the work takes the same time on any processor
    bool is_blocked = false;
    u32 mutex_wanted = nobody; ///< taken when the condition that it waits on is signalled
    u32 blocked_on = nobody;   ///< the mutex that it waits for
    bool is_lent = false;      ///< runs with what others have lent it
    u32 wants_scheduling = 0;  ///< its own, without what others lend it
    Nanos released{};          ///< when its job was to begin
    Nanos started{};
    i64 rounds[levels_max]{}; ///< that are left of each loop
    EventSource timer;
};

/// Threads in the order in which they began to wait.
template<sched::Policy P>
using WaitList = IntrusiveList<LabThread<P>, WaitTag>;

template<sched::Policy P>
struct LabMutex {
    LabThread<P>* holder = nullptr;
    WaitList<P> waiters;
};

template<sched::Policy P>
struct LabQueue {
    u32 messages = 0;
    WaitList<P> senders;
    WaitList<P> receivers;
};

struct LabTimer {
    Nanos next{};
    bool is_started = false;
};

template<sched::Policy P>
struct LabCpu {
    LabThread<P> idle;
    LabThread<P>* current = nullptr;
    Nanos arrives_at{};    ///< when the last switch is over
    Nanos paid_until{};    ///< what it has cost up to here is counted
    Nanos computes_from{}; ///< when what is to be done was begun or gone on with
    Nanos overhead{};      ///< that switches have cost
    EventSource alarm;
    EventSource kick;
    EventSource done;
};

/// Memory for an engine, one element for each thing of the workload; all of it fresh.
template<sched::Policy P>
struct EngineMemory {
    std::span<LabThread<P>> threads;
    std::span<LabCpu<P>> cpus;
    std::span<LabMutex<P>> mutexes;
    std::span<WaitList<P>> conditions;
    std::span<WaitList<P>> barriers;
    std::span<LabQueue<P>> queues;
    std::span<LabTimer> timers;
    std::span<Nanos> devices; ///< when each has nothing more to do
    /// The parameters that each scheduling of the workload means under this policy.
    std::span<typename P::Parameters const> parameters;
};

} // namespace twofold::lab
