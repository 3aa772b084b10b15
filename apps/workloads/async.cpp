// Tasks: whoever is woken goes on and nobody goes on for nothing, sleepers wake in time or are
// cancelled, what passes through a channel comes once and in order, and all have ended in the end.
//
// Each thread that does operations has tasks of its own, on two executors, which it wakes, cancels,
// and exchanges values with; and all use one semaphore and one mutex.
#include "core/async/async.hpp"
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

class AsyncWorkload {
public:
    explicit AsyncWorkload(Run& run)
        : m_run(run), m_executors(run.task_threads(), run.heap()), m_common(0) {}
    ~AsyncWorkload() { close(); }
    AsyncWorkload(AsyncWorkload const&) = delete;
    AsyncWorkload& operator=(AsyncWorkload const&) = delete;

    Result<void> begin(Check&) {
        TRY(m_executors.open());
        m_is_open = true;
        FixedVector<CpuId, sched::CpuMask::cpus_max> cpus;
        m_run.task_threads().dispatcher().known().for_each(
            [&](CpuId cpu) { return cpus.push_back(cpu).has_value(); });
        for (u32 i = 0; i < m_run.threads; ++i) { // on the processor (i + 1) % cpus
            m_places[i].emplace(
                m_executors, cpus[(i + 1) % cpus.size()], cpus[(i + 2) % cpus.size()]);
        }
        return {};
    }

    void perform(Step& step) {
        Place& place = *m_places[step.thread];
        switch (step.random.below(6)) {
        case 0:
        case 1:
            return wake(step, place);
        case 2:
            return sleep_and_cancel(step, place);
        case 3:
            return exchange(step, place);
        case 4:
            return limit(step, place);
        default:
            return use_common(step, place);
        }
    }

    void end(Check& check) {
        close();
        check.equal("given and not taken", m_given.load(relaxed), m_common.count());
        check.equal("inside of the mutex", 0, m_inside);
    }

private:
    using Scope = async::Scope;
    template<class T>
    using Task = async::Task<T>;

    static constexpr Nanos long_enough{probe::is_simulated ? i64{40'000'000} : i64{20'000'000'000}};
    static constexpr u32 sleepers_max = 6;
    using Numbers = async::Channel<u64, 2>;

    /// What a thread and its tasks share. Nobody else has tasks in its scopes.
    struct Place {
        Place(async::Executors& executors, CpuId own, CpuId other)
            : here(executors.of(own), executors.frames_of(own)),
              there(executors.of(other), executors.frames_of(other)) {}

        Scope& either(Step& step) { return step.chance(70) ? there : here; }

        Scope here;
        Scope there;
        std::optional<async::Waker> waker;
        std::optional<async::Event> has_waker;
        Atomic<u32> posted{0};
        Atomic<u32> seen{0};
        std::optional<Numbers> to;
        std::optional<Numbers> from;
    };

    task::KernelThreads& threads() const { return m_run.task_threads().waiting(); }
    static Nanos end_of_patience() { return hal::Clock::now() + long_enough; }
    static void pause(u64 turns) {
        for (u64 i = 0; i < turns; ++i) {
            hal::Cpu::pause();
        }
    }

    /// What a task returned, which is awaited for so long at most, and then told to end.
    template<class T>
    async::Awaited<T> result_of(Step& step, async::JoinHandle<T>& handle) {
        auto outcome = handle.wait(threads(), end_of_patience());
        if (!outcome && outcome.error() == Error::timed_out && !handle.has_ended()) {
            step.holds("a task ends", false);
            handle.cancel();
            return handle.wait(threads());
        }
        return outcome;
    }

    // ---- wake-ups ----

    static Task<Result<u32>> count_wakes(Scope&, Place& place, u32 expected) {
        place.waker = co_await async::this_waker();
        place.has_waker->set();
        u32 woken = 0;
        while (true) {
            u32 const seen = place.seen.load(relaxed) + place.posted.exchange(0, acquire_release);
            place.seen.store(seen, release);
            if (seen >= expected || woken > 10 * expected) {
                co_return woken;
            }
            auto const outcome = co_await async::until_woken();
            if (!outcome) {
                co_return outcome.error();
            }
            ++woken;
        }
    }
    static void post(Place& place) {
        place.posted.fetch_add(1, acquire_release);
        place.waker->wake();
    }
    /// Wakes a task twice, so that the second time comes about when it begins to run for the first,
    /// and looks whether it has seen both; and so on.
    void wake(Step& step, Place& place) {
        u32 const rounds = 2 + static_cast<u32>(step.random.below(6));
        place.waker.reset();
        place.has_waker.emplace();
        place.posted.store(0, relaxed);
        place.seen.store(0, relaxed);
        Scope& scope = place.either(step);
        auto handle = async::spawn(scope, count_wakes(scope, place, 2 * rounds));
        if (handle.has_ended()) {
            step.well("a task begins", handle.wait(threads()));
            return;
        }
        auto const runs = place.has_waker->wait_blocking(threads(), end_of_patience());
        bool goes_on = step.equal("a task says that it runs", answer_ok, runs);
        for (u32 round = 0; round < rounds && goes_on; ++round) {
            post(place);
            pause(step.random.below(step.chance(30) ? 200 : 30));
            post(place);
            goes_on = step.holds("a task sees what it is woken for", sees(place, 2 * round + 2));
        }
        if (!goes_on) {
            handle.cancel();
        }
        auto const woken = result_of(step, handle);
        if (goes_on && step.equal("a task that is woken", answer_ok, woken)) {
            step.holds("as often as it is woken, at most", woken.value() <= 2 * rounds);
        }
    }
    bool sees(Place const& place, u32 expected) {
        Nanos const end = end_of_patience();
        while (place.seen.load(acquire) < expected) {
            if (hal::Clock::now() >= end) {
                return false;
            }
            m_run.task_threads().yield();
            sync::relax();
        }
        return true;
    }

    // ---- time ----

    static Task<Result<Nanos>> sleep(Scope& scope, Nanos until) {
        auto const outcome = co_await async::sleep_until(until);
        if (!outcome) {
            co_return outcome.error();
        }
        co_return scope.executor().now();
    }
    void sleep_and_cancel(Step& step, Place& place) {
        FixedVector<async::JoinHandle<Result<Nanos>>, sleepers_max> handles;
        FixedVector<Nanos, sleepers_max> deadlines;
        bool is_cancelled[sleepers_max] = {};
        Scope& scope = place.either(step);
        Nanos const began = hal::Clock::now();
        u64 const count = 1 + step.random.below(sleepers_max);
        for (u64 i = 0; i < count; ++i) {
            Nanos const until = began + Nanos{static_cast<i64>(step.random.below(40'000))};
            handles.push_back(async::spawn(scope, sleep(scope, until))).value();
            deadlines.push_back(until).value();
        }
        for (u64 tries = step.random.below(count + 1); tries > 0; --tries) {
            pause(step.random.below(8));
            u64 const which = step.random.below(count);
            handles[which].cancel();
            is_cancelled[which] = true;
        }
        for (u64 i = 0; i < count; ++i) {
            auto const woken = result_of(step, handles[i]);
            if (woken) {
                step.holds("not too early", woken.value() >= deadlines[i]);
            } else if (!is_cancelled[i] || woken.error() != Error::cancelled) {
                step.well("a sleeper", woken);
            }
        }
    }

    static Task<Result<u32>> limited(Scope& scope, Nanos deadline, Nanos until) {
        auto const first =
            co_await async::when_any(sleep(scope, until), sleep(scope, until + Nanos{10'000}));
        auto const outcome = co_await async::with_timeout(deadline, sleep(scope, until));
        if (!outcome) {
            co_return outcome.error();
        }
        co_return static_cast<u32>(first.index);
    }
    void limit(Step& step, Place& place) {
        Nanos const now = hal::Clock::now();
        Nanos const until = now + Nanos{static_cast<i64>(step.random.below(20'000))};
        bool const is_hasty = step.chance(40);
        Nanos const deadline = is_hasty ? now - Nanos{1} : end_of_patience();
        Scope& scope = place.either(step);
        auto handle = async::spawn(scope, limited(scope, deadline, until));
        auto const outcome = result_of(step, handle);
        if (!outcome && outcome.error() == Error::timed_out) {
            step.holds("what has time comes", is_hasty);
        } else {
            step.well("a task with a limit", outcome);
        }
    }

    // ---- values ----

    static Task<Result<u64>> echo(Scope&, Place& place) {
        u64 sum = 0;
        while (true) {
            auto const number = co_await place.to->receive();
            if (!number) {
                place.from->close();
                co_return sum;
            }
            sum += number.value();
            auto const outcome = co_await place.from->send(number.value());
            if (!outcome) {
                co_return outcome.error();
            }
        }
    }
    void exchange(Step& step, Place& place) {
        place.to.emplace();
        place.from.emplace();
        Scope& scope = place.either(step);
        auto handle = async::spawn(scope, echo(scope, place));
        if (handle.has_ended()) {
            step.well("a task begins", handle.wait(threads()));
            return;
        }
        u64 sum = 0;
        u64 const rounds = 1 + step.random.below(6);
        u64 next = 0; // that comes back
        for (u64 number = 0; number < rounds; ++number) {
            auto const sent = place.to->send_blocking(threads(), number, end_of_patience());
            step.equal("a value is sent", answer_ok, sent);
            sum += number;
            while (number - next >= 2 || (number > next && step.chance(50))) {
                receive(step, place, next++);
            }
        }
        place.to->close();
        while (next < rounds) {
            receive(step, place, next++);
        }
        auto const outcome = result_of(step, handle);
        if (step.equal("who sends back", answer_ok, outcome)) {
            step.equal("sum of what came", sum, outcome.value());
        }
    }
    void receive(Step& step, Place& place, u64 expected) {
        auto const number = place.from->receive_blocking(threads(), end_of_patience());
        if (step.equal("a value comes back", answer_ok, number)) {
            step.equal("the value", expected, number.value());
        }
    }

    // ---- what all use ----

    static Task<Result<u32>> use(Scope&, AsyncWorkload& workload, bool gives) {
        u32 others = 0;
        {
            auto const guard = co_await workload.m_mutex.lock();
            if (!guard) {
                co_return guard.error();
            }
            others = workload.m_inside++;
            co_await async::yield();
            --workload.m_inside;
        }
        if (gives) {
            workload.m_given.fetch_add(1, relaxed);
            workload.m_common.release().value(); // far below what a semaphore counts
        } else {
            auto const outcome = co_await workload.m_common.acquire();
            if (!outcome) {
                co_return outcome.error();
            }
            workload.m_given.fetch_sub(1, relaxed);
        }
        co_return others;
    }
    void use_common(Step& step, Place& place) {
        bool const gives = step.chance(50);
        Scope& scope = place.either(step);
        auto handle = async::spawn(scope, use(scope, *this, gives));
        if (step.chance(50)) {
            auto const guard = m_mutex.lock_blocking(threads(), end_of_patience());
            if (step.equal("a thread gets the mutex", answer_ok, guard)) {
                step.equal("others inside", 0, m_inside);
            }
        }
        if (!gives) { // nobody may ever give one
            pause(step.random.below(20));
            handle.cancel();
        }
        auto const outcome = result_of(step, handle);
        if (outcome) {
            step.equal("others inside", 0, outcome.value());
        } else if (gives || outcome.error() != Error::cancelled) {
            step.well("a task that uses what all use", outcome);
        }
    }

    void close() {
        if (std::exchange(m_is_open, false)) {
            for (auto& place : m_places) {
                if (place) {
                    async::wait_for_end(threads(), place->here);
                    async::wait_for_end(threads(), place->there);
                    place.reset();
                }
            }
            m_executors.close();
        }
    }

    Run& m_run;
    async::Executors m_executors;
    bool m_is_open = false;
    async::AsyncSemaphore m_common;
    Atomic<u32> m_given{0}; ///< to m_common, and not taken
    async::AsyncMutex m_mutex;
    u32 m_inside = 0; ///< guarded by the mutex
    std::optional<Place> m_places[threads_max];
};

} // namespace

constinit Workload const async_workload = workload_of<AsyncWorkload>(
    {.name = "async",
     .about = "tasks that are woken, sleep, are cancelled, and exchange values with threads",
     .operations = 48});

} // namespace twofold::workloads
