// What threads of a live run wait for: the kernel's own mutexes, conditions and semaphores.
#pragma once

#include "apps/sched/lab_thread.hpp"
#include "core/task/task.hpp"

namespace twofold::lab {

using LiveMutex = task::Mutex<task::KernelThreads>;
using LiveLock = task::LockDomain<task::KernelThreads>;

/// A condition, and the mutex of who waits without one.
struct LiveCondition {
    explicit LiveCondition(task::Threads& threads)
        : condition(threads.waiting()), own(threads.locks(), "condition of a workload") {}

    task::Condition<task::KernelThreads> condition;
    LiveMutex own;
};

/// Threads that wait until as many have come as the barrier is for.
struct LiveBarrier {
    explicit LiveBarrier(task::Threads& threads)
        : all_are_there(threads.waiting()), mutex(threads.locks(), "barrier of a workload") {}

    task::Condition<task::KernelThreads> all_are_there;
    LiveMutex mutex;
    u32 waiting GUARDED_BY(mutex) = 0;
    u64 round GUARDED_BY(mutex) = 0;
};

/// Places for messages, and messages.
struct LiveQueue {
    explicit LiveQueue(task::Threads& threads)
        : places(threads.waiting(), 0), messages(threads.waiting(), 0) {}

    task::Semaphore<task::KernelThreads> places;
    task::Semaphore<task::KernelThreads> messages;
};

/// Any thread may use a timer.
struct LiveTimer {
    sync::SpinLock lock{sync::LockRank::innermost};
    LabTimer timer GUARDED_BY(lock);
};

} // namespace twofold::lab
