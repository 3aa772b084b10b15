// Deadlines: each goes off once, not too early, in its order, or was cancelled in time; and whoever
// cancels knows that the function does not run any more.
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

using processor::Timer;
using processor::TimerQueue;

class TimersWorkload {
public:
    explicit TimersWorkload(Run& run) : m_run(run), m_mutex(run.task_threads().locks(), "timers") {}
    TimersWorkload(TimersWorkload const&) = delete;
    TimersWorkload& operator=(TimersWorkload const&) = delete;

    Result<void> begin(Check&) {
        for (Shared& shared : m_shared) {
            shared.run = &m_run;
        }
        return {};
    }

    void perform(Step& step) {
        u64 const what = step.random.below(100);
        if (what < 60) {
            start_row(step);
        } else {
            use_shared(step);
        }
    }

    void end(Check& check) {
        for (Shared& shared : m_shared) {
            cancel(check, shared);
        }
    }

private:
    static constexpr usize row_max = 12;
    static constexpr usize shared_timers = 2;
    static constexpr Nanos long_enough{probe::is_simulated ? i64{40'000'000} : i64{20'000'000'000}};

    /// Deadlines that one thread starts together.
    struct Row {
        struct Deadline {
            Deadline() : timer(go_off, this) {}

            Timer timer;
            Row* row = nullptr;
            Nanos due{};
            bool is_cancelled = false;
            Atomic<u32> count{0}; ///< how often it has gone off
            Atomic<u32> place{0}; ///< in the order in which they did
            Atomic<i64> at{0};
        };

        static void go_off(void* deadline) {
            auto& own = *static_cast<Deadline*>(deadline);
            own.at.store(hal::Clock::now().value, relaxed);
            own.place.store(own.row->next.fetch_add(1, relaxed), relaxed);
            own.count.fetch_add(1, release);
        }

        Deadline all[row_max];
        usize size = 0;
        Atomic<u32> next{0};
    };

    void start_row(Step& step) {
        Row row;
        row.size = 1 + step.random.below(row_max);
        u64 const spread = step.chance(50) ? 3 : 30;
        Nanos const base = hal::Clock::now() + Nanos{3'000};
        Nanos last = base;
        for (Row::Deadline& each : std::span(row.all).first(row.size)) {
            each.row = &row;
            each.due = base + Nanos{static_cast<i64>(step.random.below(spread) * 1'000)};
            last = std::max(last, each.due);
            processor::start_timer(each.timer, each.due).value(); // there is a clock
        }
        for (u64 tries = step.random.below(4); tries > 0; --tries) {
            Row::Deadline& each = row.all[step.random.below(row.size)];
            each.is_cancelled = TimerQueue::cancel_and_wait(each.timer) || each.is_cancelled;
        }
        bool const is_early = hal::Clock::now() < base; // all were there before the first was due
        m_run.task_threads().sleep_until(last);
        step.holds("who sleeps is woken in time", hal::Clock::now() < last + long_enough);
        wait_for(step, row, last + long_enough);
        for (Row::Deadline& each : std::span(row.all).first(row.size)) {
            TimerQueue::cancel_and_wait(each.timer); // of one that was not going to come
        }
        check_row(step, row, is_early);
    }
    void wait_for(Step& step, Row const& row, Nanos end) {
        for (Row::Deadline const& each : std::span(row.all).first(row.size)) {
            while (!each.is_cancelled && each.count.load(acquire) == 0) {
                if (hal::Clock::now() >= end) {
                    step.holds("a deadline comes at last", false);
                    return;
                }
                m_run.task_threads().sleep_for({5'000});
            }
        }
    }
    static void check_row(Step& step, Row const& row, bool is_early) {
        for (usize i = 0; i < row.size; ++i) {
            Row::Deadline const& each = row.all[i];
            step.equal(
                "how often a deadline went off", each.is_cancelled ? 0 : 1,
                each.count.load(acquire));
            if (each.is_cancelled) {
                continue;
            }
            step.holds("it was not too early", each.at.load(relaxed) >= each.due.value);
            for (usize j = 0; is_early && j < i; ++j) {
                Row::Deadline const& before = row.all[j];
                bool const is_first = before.due <= each.due; // equal ones: which was started first
                bool const was_first = before.place.load(relaxed) < each.place.load(relaxed);
                step.holds("order of deadlines", before.is_cancelled || is_first == was_first);
            }
        }
    }

    /// One that any thread starts, and any other cancels.
    struct Shared {
        Shared() : timer(go_off, this) {}

        static void go_off(void* shared) {
            auto& own = *static_cast<Shared*>(shared);
            own.inside.store(1, relaxed);
            for (int i = 0; i < 8; ++i) {
                own.count.fetch_add(1, relaxed);
            }
            own.inside.store(0, release);
        }

        Timer timer;
        Run* run = nullptr;
        bool is_started = false; ///< guarded by the mutex
        Atomic<u32> inside{0};
        Atomic<u32> count{0};
    };

    void use_shared(Step& step) {
        Shared& shared = m_shared[step.random.below(shared_timers)];
        task::MutexGuard const guard(m_mutex);
        cancel(step, shared);
        shared.count.store(0, relaxed);
        Nanos const due = hal::Clock::now() + Nanos{static_cast<i64>(step.random.below(3'000))};
        processor::start_timer(shared.timer, due).value(); // there is a clock
        shared.is_started = true;
    }
    static void cancel(Check& check, Shared& shared) {
        if (!std::exchange(shared.is_started, false)) {
            return;
        }
        bool const is_withdrawn = TimerQueue::cancel_and_wait(shared.timer);
        check.equal("the function runs", 0, shared.inside.load(acquire));
        check.equal("what it has done", is_withdrawn ? 0 : 8, shared.count.load(relaxed));
    }

    Run& m_run;
    task::Mutex<task::KernelThreads> m_mutex;
    Shared m_shared[shared_timers];
};

} // namespace

constinit Workload const timers_workload = workload_of<TimersWorkload>(
    {.name = "timers",
     .about = "deadlines that go off in order or are cancelled, also by other processors",
     .operations = 48});

} // namespace twofold::workloads
