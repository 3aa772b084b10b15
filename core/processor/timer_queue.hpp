// The deadlines of one processor, and the one-shot alarm that is set to the earliest. No periodic
// tick: where nobody waits, nothing comes.
//
// A timer belongs to the processor that started it until it has gone off or was cancelled; only its
// owner starts it, any processor may cancel it. Its function runs in context `irq`. It takes no
// lock of the queue, so the function may start the timer again, and start and cancel others.
#pragma once

#include "core/processor/histogram.hpp"
#include "core/processor/timer_heap.hpp"
#include "core/sync/sync.hpp"

namespace twofold::processor {

class TimerQueue;

/// One deadline. In memory of whoever waits; not destroyed while it is queued or its function runs.
class Timer : public TimerNode {
public:
    using Function = void (*)(void* argument);

    Timer(Function function, void* argument) : m_function(function), m_argument(argument) {
        CHECK(function != nullptr);
    }

private:
    friend class TimerQueue;

    Function m_function;
    void* m_argument;
    Nanos m_due{};                        ///< its deadline, or when it was started if that is later
    Atomic<TimerQueue*> m_queue{nullptr}; ///< the one that it was started in last
};

/// What wakes a queue: the machine's clock, or one that is injected.
struct Alarm {
    Nanos (*now)(void* object);
    /// Has `expire` called once, when `now` has reached `deadline`; replaces the one before.
    void (*arm)(void* object, Nanos deadline);
    void (*disarm)(void* object);
    void* object;
};

struct TimerStatistics {
    u64 started = 0;
    u64 cancelled = 0;
    u64 expired = 0;
    u64 alarms = 0;   ///< calls of `expire`
    u64 overruns = 0; ///< pauses, because deadlines came faster than they were run
};

class TimerQueue {
public:
    /// The most functions that one alarm runs, with interrupts off; what is due beside comes with
    /// the next alarm, which is set to go off at once.
    static constexpr u32 batch_max = 4;
    /// After so long no further one begins: the first may have taken long.
    static constexpr Nanos batch_time{300};
    /// So many functions may run without a pause, in batches that leave something over: deadlines
    /// that come faster than they are run leave the processor some time.
    static constexpr u32 in_a_row_max = 64;
    static constexpr Nanos overrun_pause{50'000};

    TimerQueue() = default;
    TimerQueue(TimerQueue const&) = delete;
    TimerQueue& operator=(TimerQueue const&) = delete;

    /// Before anything else; `alarm` outlives the queue.
    void open(Alarm const& alarm) { m_alarm = &alarm; }
    bool is_open() const { return m_alarm != nullptr; }

    /// Starts a timer that is not queued, on the processor whose queue this is. A deadline in the
    /// past goes off at once. Any context but nmi; O(1).
    void start(Timer& timer, Nanos deadline);
    /// Withdraws a timer: true where its function will not run for what it was started for, false
    /// where it has not been started, runs, or has run. Any context but nmi; any processor; O(log
    /// n) amortised.
    static bool cancel(Timer& timer);
    /// The same, and when it returns the function does not run any more either. Not from the
    /// function itself.
    static bool cancel_and_wait(Timer& timer);

    /// Runs what is due. On the queue's own processor, in context `irq`. Returns how many.
    u32 expire();

    /// The number of deadlines that wait, and the earliest. Any processor; O(1).
    usize pending();
    /// The earliest; false where there is none.
    bool earliest(Nanos& deadline);
    TimerStatistics statistics();
    /// How late functions were called, in nanoseconds. Of the queue's own processor, interrupts
    /// off, or for a rough look.
    Histogram& lateness() { return m_lateness; }

private:
    Timer* take_due(Nanos now);
    Nanos pause(Nanos now) REQUIRES(m_lock);
    void arm_earliest(Nanos not_before) REQUIRES(m_lock);

    Alarm const* m_alarm = nullptr;
    sync::SpinLock m_lock{sync::LockRank::timers};
    TimerHeap m_heap GUARDED_BY(m_lock);
    TimerStatistics m_statistics GUARDED_BY(m_lock);
    u32 m_in_a_row GUARDED_BY(m_lock) = 0; ///< functions in full batches
    Atomic<Timer*> m_running{nullptr};     ///< whose function runs
    Histogram m_lateness;
};

} // namespace twofold::processor
