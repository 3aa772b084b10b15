// Tasks: on an executor that the scenario turns under a clock that it moves, so that all of what is
// seen follows from the code alone; and on the kernel's own executors, of which only what does not
// depend on when anybody runs is recorded.
#include "core/async/async.hpp"
#include "apps/scenarios/scenarios.hpp"
#include "core/boot/async.hpp"
#include "core/task/task.hpp"

#include <algorithm>

namespace twofold::scenarios {

namespace async_room { // other sources have other tasks, events and channels

namespace {

using namespace twofold::async;
using twofold::boot::Kernel;
using twofold::boot::Recorder;

/// A simulation counts each step that a processor takes: a million awaits would take it seconds.
constexpr u32 awaits = probe::is_simulated ? 100'000 : 1'000'000;
constexpr u32 sleepers = 10'000;

using Letters = FixedString<64>;

void note(Letters& letters, char letter) {
    letters.append(letter).value(); // few
}

/// An executor that is turned by hand.
class Bench {
public:
    explicit Bench(memory::KernelHeap& heap) : m_frames(FrameSource::of(heap)) {}
    Bench(Bench const&) = delete;
    Bench& operator=(Bench const&) = delete;

    Executor& executor() { return m_executor; }
    FrameSource const& frames() const { return m_frames; }
    Scope& scope() { return m_scope; }
    Nanos now() const { return m_now; }

    void run() {
        while (m_executor.turn()) {
        }
    }
    /// Until nobody sleeps any more.
    void run_to_the_end() {
        run();
        while (auto const next = m_executor.next_deadline()) {
            m_now = std::max(m_now, *next);
            run();
        }
    }
    /// What a task returned that was run to its end.
    template<class T>
    Awaited<T> result_of(task::KernelThreads& threads, Task<T> task) {
        auto handle = spawn(m_scope, std::move(task));
        run_to_the_end();
        return handle.wait(threads);
    }

private:
    Nanos m_now{};
    FrameSource m_frames;
    Executor m_executor{
        {.now = [](void* self) { return static_cast<Bench*>(self)->m_now; },
         .wake = [](void*) {},
         .object = this}};
    Scope m_scope{m_executor, m_frames};
};

// ---- running beside each other ----

Task<void> print(Scope&, Letters& letters, char letter, u32 turns) {
    for (u32 turn = 0; turn < turns; ++turn) {
        note(letters, letter);
        co_await yield();
    }
}
Task<void> print_both(Scope& scope, Letters& letters) {
    static_cast<void>(
        co_await when_all(print(scope, letters, 'a', 4), print(scope, letters, 'b', 3)));
}

Task<u32> ends_at_once(Scope&, u32 value) {
    co_return value % 7;
}
Task<bool> await_many(Scope& scope) {
    u64 sum = 0;
    u64 expected = 0;
    for (u32 i = 0; i < awaits; ++i) {
        auto const one = co_await ends_at_once(scope, i);
        sum += one ? one.value() : 0;
        expected += i % 7;
    }
    co_return sum == expected;
}

// ---- time ----

struct Sleepers {
    Nanos last{};
    u64 woken = 0;
    u64 out_of_order = 0;
    u64 order = 0;
};
Task<void> sleep_one(Scope&, Sleepers& all, u32 number) {
    Nanos const until{static_cast<i64>(number * 7919 % sleepers / 3)}; // three at a time
    auto const outcome = co_await sleep_until(until);
    if (!outcome) {
        co_return;
    }
    all.out_of_order += until < all.last ? 1 : 0;
    all.last = until;
    all.order = all.order * 31 + number;
    ++all.woken;
}

Task<Result<u32>> sleep_for_value(Scope&, Nanos duration, u32 value) {
    auto const outcome = co_await sleep_for(duration);
    if (!outcome) {
        co_return outcome.error();
    }
    co_return value;
}
Task<Result<u32>> with_limit(Scope& scope, Nanos limit, Nanos duration) {
    Nanos const deadline = scope.executor().now() + limit;
    co_return co_await with_timeout(deadline, sleep_for_value(scope, duration, 5));
}
Task<u32> first_of_two(Scope& scope) {
    auto const first = co_await when_any(
        sleep_for_value(scope, Nanos{30}, 3), sleep_for_value(scope, Nanos{20}, 2));
    bool const is_cancelled = std::get<0>(first.results).has_value() ||
                              std::get<0>(first.results).error() != Error::cancelled;
    co_return static_cast<u32>(first.index) + (is_cancelled ? 100 : 0);
}

// ---- wakers and what is waited for ----

struct Woken {
    std::optional<Waker> waker;
    u32 times = 0;
};
Task<void> count_wakes(Scope&, Woken& woken) {
    woken.waker = co_await this_waker();
    constexpr u32 too_many = 50;
    while (woken.times < too_many) {
        auto const outcome = co_await until_woken();
        if (!outcome) {
            break;
        }
        ++woken.times;
    }
}

Task<void> use_semaphore(Scope&, AsyncSemaphore& semaphore, Letters& letters, char letter) {
    auto const outcome = co_await semaphore.acquire();
    if (outcome) {
        note(letters, letter);
        static_cast<void>(co_await sleep_for(Nanos{10}));
        semaphore.release().value(); // it was taken
    } else {
        note(letters, 'x');
    }
}
Task<void> use_mutex(Scope&, AsyncMutex& mutex, Letters& letters, char letter) {
    auto const guard = co_await mutex.lock();
    note(letters, guard ? letter : 'x');
    static_cast<void>(co_await sleep_for(Nanos{10}));
    note(letters, guard ? letter : 'x');
}
Task<void> wait_for_event(Scope&, Event& event, Letters& letters, char letter) {
    auto const outcome = co_await event.wait();
    note(letters, outcome ? letter : 'x');
}

using Numbers = Channel<u32, 3>;

Task<Result<void>> send_all(Scope&, Numbers& numbers, u32 count) {
    for (u32 number = 1; number <= count; ++number) {
        auto const outcome = co_await numbers.send(number);
        if (!outcome) {
            co_return outcome;
        }
    }
    numbers.close();
    co_return {};
}
Task<u64> receive_all(Scope&, Numbers& numbers) {
    u64 hash = 0;
    while (true) {
        auto const number = co_await numbers.receive();
        if (!number) {
            co_return hash;
        }
        hash = hash * 31 + number.value();
    }
}

void run_beside_each_other(Recorder& record, Bench& bench, task::KernelThreads& threads) {
    Letters letters;
    record.result("two print tasks", bench.result_of(threads, print_both(bench.scope(), letters)));
    record.text("what they printed", letters.view());
    auto const many = bench.result_of(threads, await_many(bench.scope()));
    record.result("sequential awaits", many);
}

void sleep_and_limit(Recorder& record, Bench& bench, task::KernelThreads& threads) {
    Sleepers all;
    for (u32 number = 0; number < sleepers; ++number) {
        spawn(bench.scope(), sleep_one(bench.scope(), all, number)).detach();
    }
    bench.run_to_the_end();
    record.number("woken", all.woken);
    record.number("out of order", all.out_of_order);
    record.number("order", all.order);
    Scope& scope = bench.scope();
    record.result("in time", bench.result_of(threads, with_limit(scope, Nanos{50}, Nanos{40})));
    record.result("too late", bench.result_of(threads, with_limit(scope, Nanos{50}, Nanos{60})));
    record.result("first of two", bench.result_of(threads, first_of_two(scope)));
    auto cancelled = spawn(scope, sleep_for_value(scope, Nanos{1000}, 1));
    bench.run();
    cancelled.cancel();
    bench.run();
    record.truth("a sleeper is left", bench.executor().next_deadline().has_value());
    record.result("cancelled", cancelled.wait(threads));
}

void wake(Recorder& record, Bench& bench) {
    Woken woken;
    Scope scope(bench.executor(), bench.frames());
    auto handle = spawn(scope, count_wakes(scope, woken));
    bench.run();
    for (int turn = 0; turn < 3; ++turn) {
        woken.waker->wake();
        woken.waker->wake();
        bench.run();
    }
    record.number("wake-ups", woken.times);
    scope.cancel();
    bench.run();
    record.truth("it has ended", handle.has_ended());
}

void wait_in_order(Recorder& record, Bench& bench, task::KernelThreads& threads) {
    Scope& scope = bench.scope();
    Letters letters;
    AsyncSemaphore semaphore(2);
    AsyncMutex mutex;
    Event event;
    std::optional<JoinHandle<void>> third;
    for (char const letter : {'a', 'b', 'c', 'd', 'e'}) {
        auto handle = spawn(scope, use_semaphore(scope, semaphore, letters, letter));
        if (letter == 'c') {
            third.emplace(std::move(handle));
        }
    }
    bench.run();
    third->cancel();
    bench.run_to_the_end();
    record.text("semaphore", letters.view());
    record.number("left in it", semaphore.count());
    letters = {};
    for (char const letter : {'a', 'b', 'c'}) {
        spawn(scope, use_mutex(scope, mutex, letters, letter)).detach();
        spawn(scope, wait_for_event(scope, event, letters, static_cast<char>(letter + 10)))
            .detach();
    }
    bench.run_to_the_end();
    event.set();
    bench.run_to_the_end();
    record.text("mutex and event", letters.view());
    Numbers numbers;
    auto sender = spawn(scope, send_all(scope, numbers, 100));
    record.result("received", bench.result_of(threads, receive_all(scope, numbers)));
    record.result("sent", sender.wait(threads));
    record.result("sent after the end", numbers.try_send(1));
    record.result("received after the end", numbers.try_receive());
}

void count(Recorder& record, Bench& bench) {
    ExecutorCounts const& counts = bench.executor().counts();
    record.truth("all have ended", counts.started.load(relaxed) == counts.ended.load(relaxed));
    record.number("began", counts.started.load(relaxed));
    record.number("resumed", counts.resumed.load(relaxed));
    record.number("woken through the queue", counts.woken.load(relaxed));
    record.number("batches", counts.batches.load(relaxed));
    record.number("sleeps", counts.sleeps.load(relaxed));
    record.number("deadlines that came", counts.passed.load(relaxed));
}

/// On the kernel's executors: a thread and a task wait for each other.
void meet_threads(Recorder& record, Kernel& kernel) {
    auto const opened = boot::executors(kernel);
    if (!opened) {
        record.error("executors", opened.error());
        return;
    }
    task::KernelThreads& threads = kernel.threads->waiting();
    Executors& executors = *opened.value();
    Scope scope(executors.here(), executors.frames());
    Numbers numbers;
    auto receiver = spawn(scope, receive_all(scope, numbers));
    u32 sent = 0;
    for (u32 number = 1; number <= 100; ++number) {
        sent += numbers.send_blocking(threads, number) ? 1 : 0;
    }
    record.number("sent by a thread", sent);
    numbers.close();
    record.result("received by a task", receiver.wait(threads));
    Letters letters;
    record.result("two tasks", spawn(scope, print_both(scope, letters)).wait(threads));
    record.text("they printed", letters.view());
    record.result("slept", spawn(scope, sleep_for_value(scope, Nanos{1000}, 9)).wait(threads));
    auto cancelled = spawn(scope, sleep_for_value(scope, Nanos{60'000'000'000}, 1));
    scope.cancel();
    record.result("cancelled by a thread", cancelled.wait(threads));
    wait_for_end(threads, scope);
}

void record_all(Recorder& record, Kernel& kernel) {
    if (kernel.threads == nullptr) {
        record.error("threads", Error::not_found);
        return;
    }
    task::KernelThreads& threads = kernel.threads->waiting();
    {
        auto made = memory::Box<Bench, memory::KernelHeap>::create(*kernel.heap, *kernel.heap);
        if (!made) {
            record.error("room", made.error());
            return;
        }
        Bench& bench = *made.value();
        sleep_and_limit(record, bench, threads);
        wake(record, bench);
        wait_in_order(record, bench, threads);
        count(record, bench); // what follows does not do as much on every machine
        run_beside_each_other(record, bench, threads);
    }
    meet_threads(record, kernel);
}

} // namespace

} // namespace async_room

void async(twofold::boot::Recorder& record, twofold::boot::Kernel& kernel) {
    async_room::record_all(record, kernel);
}

} // namespace twofold::scenarios
