// Tasks in a kernel, on as many processors as there are: they run beside each other, sleep in
// order, wait for threads and threads for them, take no memory to go on, and leave nothing behind.
#include "core/async/async.hpp"

#include "core/boot/boot.hpp"
#include "core/processor/processor.hpp"
#include "core/task/task.hpp"
#include "tests/support/test.hpp"

namespace twofold::async {
namespace {

boot::Kernel& kernel() {
    return boot::current_kernel();
}
task::KernelThreads& waiting() {
    return kernel().threads->waiting();
}

/// Executors for one test. When it is over as many threads live as before, and as much memory is in
/// use.
class OpenExecutors {
public:
    OpenExecutors()
        : m_threads_before(kernel().threads->count()), m_all(*kernel().threads, *kernel().heap) {
        m_all.open().value();
    }
    ~OpenExecutors() {
        m_all.close();
        EXPECT_EQ(kernel().threads->count(), m_threads_before);
    }
    OpenExecutors(OpenExecutors const&) = delete;
    OpenExecutors& operator=(OpenExecutors const&) = delete;

    Executors& operator*() { return m_all; }
    Executors* operator->() { return &m_all; }

private:
    u32 m_threads_before;
    Executors m_all;
};

/// A scope that a thread waits for.
class ThreadScope : public Scope {
public:
    ThreadScope(Executors& executors, CpuId cpu)
        : Scope(executors.of(cpu), executors.frames_of(cpu)) {}
    explicit ThreadScope(Executors& executors) : ThreadScope(executors, hal::Cpu::id()) {}
    ~ThreadScope() { async::wait_for_end(waiting(), *this); }
    ThreadScope(ThreadScope const&) = delete;
    ThreadScope& operator=(ThreadScope const&) = delete;
};

struct Letters {
    FixedString<32> text;

    void note(char letter) { text.append(letter).value(); }
};

Task<void> print(Scope&, Letters& letters, char letter) {
    for (int turn = 0; turn < 3; ++turn) {
        letters.note(letter);
        co_await yield();
    }
}
Task<void> print_both(Scope& scope, Letters& letters) {
    static_cast<void>(co_await when_all(print(scope, letters, 'a'), print(scope, letters, 'b')));
}

} // namespace

TEST(Async, TwoTasksRunConcurrently) {
    OpenExecutors executors;
    Letters letters;
    ThreadScope scope(*executors);
    EXPECT_TRUE(spawn(scope, print_both(scope, letters)).wait(waiting()).has_value());
    EXPECT_EQ(letters.text.view(), "ababab");
}

namespace {

Task<u32> ends_at_once(Scope&, u32 value) {
    co_return value & 1;
}
Task<u64> await_many(Scope& scope, u32 count) {
    u64 sum = 0;
    for (u32 i = 0; i < count; ++i) {
        auto const one = co_await ends_at_once(scope, i);
        sum += one ? one.value() : 0;
    }
    co_return sum;
}

} // namespace

TEST(Async, AMillionAwaitsInARowNeedNoStack) {
    // A simulation counts each step that a processor takes.
    constexpr u32 count = probe::is_simulated ? 100'000 : 1'000'000;
    OpenExecutors executors;
    ThreadScope scope(*executors);
    EXPECT_EQ(spawn(scope, await_many(scope, count)).wait(waiting()).value(), u64{count} / 2);
}

namespace {

constexpr u32 sleepers = 10'000;

struct Row {
    Nanos begin{};
    u32 woken = 0;
    u32 out_of_order = 0;
    u32 too_early = 0;
    Nanos last{};
};

/// The deadlines lie in no order.
Task<void> sleep_in_row(Scope& scope, Row& row, u32 number) {
    Nanos const until = row.begin + Nanos{static_cast<i64>(number) * 7919 % sleepers * 100};
    auto const outcome = co_await sleep_until(until);
    if (!outcome) {
        co_return;
    }
    row.too_early += scope.executor().now() < until ? 1 : 0;
    row.out_of_order += until < row.last ? 1 : 0;
    row.last = until;
    ++row.woken;
}

/// The machine's clock, once it goes.
struct HeldClock {
    Nanos held{};
    bool is_held = true;

    Nanos now() const { return is_held ? held : hal::Clock::now(); }
};

} // namespace

TEST(Async, TenThousandSleepersWakeInOrder) {
    HeldClock clock{.held = hal::Clock::now()};
    Executor executor(
        {.now = [](void* its) { return static_cast<HeldClock*>(its)->now(); },
         .wake = [](void*) {},
         .object = &clock});
    FrameSource const frames = FrameSource::of(*kernel().heap);
    Scope scope(executor, frames);
    Row row{.begin = clock.held + Nanos{1}};
    for (u32 number = 0; number < sleepers; ++number) {
        spawn(scope, sleep_in_row(scope, row, number)).detach();
    }
    while (executor.turn()) {
    }
    EXPECT_EQ(row.woken, 0u);
    clock.is_held = false;
    while (auto const next = executor.next_deadline()) {
        kernel().threads->sleep_until(*next);
        while (executor.turn()) {
        }
    }
    EXPECT_EQ(row.woken, sleepers);
    EXPECT_EQ(row.too_early, 0u);
    EXPECT_EQ(row.out_of_order, 0u);
}

namespace {

Task<void> play(Scope& scope, Channel<u32, 2>& channel, AsyncSemaphore& semaphore, u32& heard) {
    for (u32 turn = 0; turn < 5; ++turn) {
        co_await yield();
        static_cast<void>(co_await channel.send(turn));
        static_cast<void>(co_await semaphore.acquire());
        static_cast<void>(co_await sleep_until(scope.executor().now() + Nanos{1}));
        static_cast<void>(semaphore.release());
        auto const number = co_await channel.receive();
        heard += number ? number.value() : 0;
    }
}

} // namespace

TEST(Async, GoingOnTakesNoMemory) {
    Nanos clock{};
    Executor executor(
        {.now = [](void* now) { return *static_cast<Nanos*>(now); },
         .wake = [](void*) {},
         .object = &clock});
    FrameSource const frames = FrameSource::of(*kernel().heap);
    Scope scope(executor, frames);
    Channel<u32, 2> channel;
    AsyncSemaphore semaphore(1);
    u32 heard = 0;
    auto first = spawn(scope, play(scope, channel, semaphore, heard));
    auto second = spawn(scope, play(scope, channel, semaphore, heard));
    {
        sync::NoPreemptGuard const stay; // what NoAlloc says is said of a processor
        memory::NoAlloc const none;
        while (!first.has_ended() || !second.has_ended()) {
            while (executor.turn()) {
            }
            clock = clock + Nanos{1};
        }
    }
    EXPECT_EQ(heard, 20u);
}

namespace {

Task<Result<void>> sleep_long(Scope&) {
    co_return co_await sleep_for(Nanos{60'000'000'000});
}
Task<Result<void>> sleep_shortly(Scope& scope) {
    auto const outcome =
        co_await with_timeout(scope.executor().now() + Nanos{1'000'000}, sleep_long(scope));
    co_return outcome;
}

} // namespace

TEST(Async, DeadlinesAndCancellationEndASleep) {
    OpenExecutors executors;
    ThreadScope scope(*executors);
    EXPECT_EQ(spawn(scope, sleep_shortly(scope)).wait(waiting()).error(), Error::timed_out);
    auto handle = spawn(scope, sleep_long(scope));
    Nanos const soon = hal::Clock::now() + Nanos{1'000'000};
    EXPECT_EQ(handle.wait(waiting(), soon).error(), Error::timed_out);
    handle.cancel();
    EXPECT_EQ(handle.wait(waiting()).error(), Error::cancelled);
    auto left = spawn(scope, sleep_long(scope));
    scope.cancel();
    EXPECT_EQ(left.wait(waiting()).error(), Error::cancelled);
}

namespace {

constexpr u32 numbers = 500;
using Numbers = Channel<u32, 4>;

Task<u64> sum_up(Scope&, Numbers& from, Numbers& to) {
    u64 sum = 0;
    while (true) {
        auto const number = co_await from.receive();
        if (!number) {
            break;
        }
        sum += number.value();
        static_cast<void>(co_await to.send(number.value()));
    }
    to.close();
    co_return sum;
}

} // namespace

TEST(Async, AThreadAndATaskOnEachProcessorWaitForEachOther) {
    OpenExecutors executors;
    kernel().threads->dispatcher().known().for_each([&](CpuId cpu) {
        Numbers there;
        Numbers back;
        ThreadScope scope(*executors, cpu);
        auto handle = spawn(scope, sum_up(scope, there, back));
        u64 sum = 0;
        for (u32 number = 1; number <= numbers; ++number) {
            EXPECT_TRUE(there.send_blocking(waiting(), number).has_value());
            if (number > 4) {
                sum += back.receive_blocking(waiting()).value();
            }
        }
        there.close();
        while (auto const rest = back.receive_blocking(waiting())) {
            sum += rest.value();
        }
        EXPECT_EQ(handle.wait(waiting()).value(), u64{numbers} * (numbers + 1) / 2);
        EXPECT_EQ(sum, u64{numbers} * (numbers + 1) / 2);
        return true;
    });
}

namespace {

Task<Result<void>> wait_for(Scope&, Event& event) {
    co_return co_await event.wait();
}

} // namespace

TEST(Async, AnInterruptWakesATask) {
    OpenExecutors executors;
    ThreadScope scope(*executors);
    Event event;
    processor::Timer timer([](void* its) { static_cast<Event*>(its)->set(); }, &event);
    auto handle = spawn(scope, wait_for(scope, event));
    processor::start_timer(timer, hal::Clock::now() + Nanos{100'000}).value();
    EXPECT_TRUE(handle.wait(waiting()).has_value());
    processor::TimerQueue::cancel_and_wait(timer);
}

TEST(Async, WithoutMemoryForAFrameNothingRunsAndNothingIsLost) {
    OpenExecutors executors;
    FrameSource const none{
        .allocate = [](void*, Bytes) -> std::byte* { return nullptr; },
        .free = [](void*, std::byte*, Bytes) { UNREACHABLE(); },
        .object = nullptr};
    Letters letters;
    Scope scope(executors->here(), none);
    auto handle = spawn(scope, print(scope, letters, 'x'));
    EXPECT_TRUE(handle.has_ended());
    EXPECT_EQ(handle.wait(waiting()).error(), Error::out_of_memory);
    wait_for_end(waiting(), scope);
    EXPECT_EQ(letters.text.view(), "");
}

TEST(Async, WhoIsOpenIsNotOpenedAgain) {
    OpenExecutors executors;
    EXPECT_EQ(executors->open().error(), Error::invalid_state);
    u32 seen = 0;
    executors->for_each([&](CpuId cpu, Executor const& executor) {
        EXPECT_EQ(&executors->of(cpu), &executor);
        ++seen;
    });
    EXPECT_EQ(seen, kernel().threads->dispatcher().known().size());
}

} // namespace twofold::async
