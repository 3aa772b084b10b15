// A kernel that is mostly idle: a thread that wakes up each millisecond, as a tick does, and a
// deadline between each two ticks. An operation is a second of them, so an hour of virtual time is
// 3,600 operations: what is to happen seldom, or to be found far from its cause, is looked for
// here.
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

using processor::Timer;
using processor::TimerQueue;

class TicksWorkload {
public:
    explicit TicksWorkload(Run& run) : m_run(run) {}
    TicksWorkload(TicksWorkload const&) = delete;
    TicksWorkload& operator=(TicksWorkload const&) = delete;

    Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        Between between;
        Nanos next = hal::Clock::now();
        for (u32 tick = 1; tick <= ticks; ++tick) {
            Nanos const due = next + Nanos{static_cast<i64>(step.random.below(period.value))};
            bool const was_sent = processor::start_timer(between.timer, due).has_value();
            next = next + period;
            m_run.task_threads().sleep_until(next);
            bool const is_withdrawn = TimerQueue::cancel_and_wait(between.timer);
            step.holds("there is a clock", was_sent);
            step.holds("a tick is not too early", hal::Clock::now() >= next);
            step.holds("a deadline came once", came_once(between, tick, is_withdrawn));
        }
    }

    void end(Check&) {}

private:
    static constexpr u32 ticks = probe::is_simulated ? 1'000 : 20;
    static constexpr Nanos period{1'000'000};

    struct Between {
        Between() : timer(go_off, this) {}

        static void go_off(void* between) {
            static_cast<Between*>(between)->count.fetch_add(1, relaxed);
        }

        Timer timer;
        Atomic<u32> count{0};
        u32 withdrawn = 0;
    };

    /// Each has gone off once; by chance one just before a tick is withdrawn instead.
    static bool came_once(Between& between, u32 tick, bool is_withdrawn) {
        between.withdrawn += is_withdrawn ? 1 : 0;
        return between.count.load(relaxed) + between.withdrawn == tick;
    }

    Run& m_run;
};

} // namespace

constinit Workload const ticks_workload = workload_of<TicksWorkload>(
    {.name = "ticks",
     .about = "a thread and a deadline each millisecond, and nothing else: an operation a second",
     .operations = 8,
     .cpus = 1,
     .threads = 1,
     .patience{3'000'000'000}});

} // namespace twofold::workloads
