// Executors in threads of the host: tasks on two of them, and threads that wait for them and that
// they wait for. Under ThreadSanitizer.
#include "core/async/channel.hpp"
#include "core/async/frame_cache.hpp"
#include "core/async/sleep.hpp"
#include "core/async/spawn.hpp"
#include "core/async/thread_executor.hpp"
#include "core/async/waits.hpp"
#include "tests/core/task/locks_test.hpp"

namespace twofold::async {
namespace {

using task::HostThreads;
using task::in_short;

constexpr u32 turns = 2000;

/// Memory of the host, as frames are taken from it on any thread.
constexpr FrameSource host_frames{
    .allocate = [](void*, Bytes size) { return static_cast<std::byte*>(std::malloc(size.value)); },
    .free = [](void*, std::byte* block, Bytes) { std::free(block); },
    .object = nullptr};

class AsyncThreads : public task::Locks {
protected:
    struct Clock {
        static Nanos now() { return HostThreads::now(); }
    };

    AsyncThreads() {
        for (auto& each : executors) {
            start([&each] { each.run([] { std::this_thread::yield(); }); });
        }
    }
    void end_executors() {
        for (auto& each : executors) {
            each.end();
        }
    }

    ThreadExecutor<HostThreads, Clock> executors[2]{
        ThreadExecutor<HostThreads, Clock>(threads), ThreadExecutor<HostThreads, Clock>(threads)};
    FrameCache caches[2]{
        FrameCache(executors[0].executor(), host_frames),
        FrameCache(executors[1].executor(), host_frames)};
    Scope left{executors[0].executor(), caches[0].frames()};
    Scope right{executors[1].executor(), caches[1].frames()};
};

using Numbers = Channel<u32, 4>;

Task<Result<u64>> sum_up(Scope&, Numbers& numbers) {
    u64 sum = 0;
    while (true) {
        auto const number = co_await numbers.receive();
        if (!number) {
            co_return sum; // it was closed
        }
        sum += number.value();
    }
}
Task<Result<void>> count_up(Scope&, Numbers& numbers) {
    for (u32 number = 1; number <= turns; ++number) {
        auto const outcome = co_await numbers.send(number);
        if (!outcome) {
            co_return outcome;
        }
    }
    co_return {};
}

TEST_F(AsyncThreads, AChannelJoinsTasksOfTwoExecutorsAndThreads) {
    Numbers numbers;
    u64 of_thread = 0;
    Event is_empty;
    start([&] {
        for (auto number = numbers.receive_blocking(threads); number;
             number = numbers.receive_blocking(threads)) {
            of_thread += number.value();
        }
        is_empty.set();
    });
    start([&] {
        auto first = spawn(left, sum_up(left, numbers));
        auto second = spawn(right, sum_up(right, numbers));
        auto sender = spawn(left, count_up(left, numbers));
        for (u32 number = 1; number <= turns; ++number) {
            EXPECT_TRUE(numbers.send_blocking(threads, number).has_value());
        }
        EXPECT_TRUE(sender.wait(threads).has_value());
        numbers.close();
        EXPECT_TRUE(is_empty.wait_blocking(threads).has_value());
        EXPECT_EQ(
            of_thread + first.wait(threads).value() + second.wait(threads).value(),
            u64{turns} * (turns + 1));
        EXPECT_EQ(numbers.receive_blocking(threads).error(), Error::invalid_state);
        wait_for_end(threads, left);
        wait_for_end(threads, right);
        end_executors();
    });
    join();
}

Task<u32> take_turns(Scope&, AsyncMutex& mutex, AsyncSemaphore& semaphore, u64& count) {
    u32 taken = 0;
    for (u32 turn = 0; turn < turns; ++turn) {
        {
            auto const guard = co_await mutex.lock();
            count += guard ? 1 : 0;
            if (turn % 16 == 0) {
                co_await yield();
            }
        }
        auto const outcome = co_await semaphore.acquire();
        taken += outcome ? 1 : 0;
        EXPECT_TRUE(semaphore.release().has_value());
    }
    co_return taken;
}

TEST_F(AsyncThreads, AMutexKeepsTasksAndThreadsApart) {
    AsyncMutex mutex;
    AsyncSemaphore semaphore(1);
    u64 count = 0;
    start([&] {
        auto first = spawn(left, take_turns(left, mutex, semaphore, count));
        auto second = spawn(right, take_turns(right, mutex, semaphore, count));
        auto third = spawn(right, take_turns(right, mutex, semaphore, count));
        for (u32 turn = 0; turn < turns; ++turn) {
            auto const guard = mutex.lock_blocking(threads);
            EXPECT_TRUE(guard.has_value());
            ++count;
        }
        EXPECT_EQ(first.wait(threads).value(), turns);
        EXPECT_EQ(second.wait(threads).value(), turns);
        EXPECT_EQ(third.wait(threads).value(), turns);
        EXPECT_EQ(count, 4u * turns);
        wait_for_end(threads, left);
        wait_for_end(threads, right);
        end_executors();
    });
    join();
}

/// Counts what it was woken for: as often as somebody has woken it, or less often.
Task<u32> count_wakes(Scope&, Atomic<u32>& posted, Event& ready, std::optional<Waker>& waker) {
    waker = co_await this_waker();
    ready.set();
    u32 seen = 0;
    u32 woken = 0;
    while (seen < 2 * turns) {
        auto const outcome = co_await until_woken();
        if (!outcome) {
            break;
        }
        ++woken;
        seen += posted.exchange(0, acquire_release);
    }
    co_return woken;
}

TEST_F(AsyncThreads, NoWakeUpIsLost) {
    Atomic<u32> posted{0};
    Event ready;
    std::optional<Waker> waker;
    auto handle = spawn(left, count_wakes(left, posted, ready, waker));
    for (u32 index = 0; index < 2; ++index) {
        start([&] {
            EXPECT_TRUE(ready.wait_blocking(threads).has_value());
            for (u32 turn = 0; turn < turns; ++turn) {
                posted.fetch_add(1, acquire_release);
                waker->wake();
                if (turn % 64 == 0) {
                    std::this_thread::yield();
                }
            }
        });
    }
    start([&] {
        u32 const woken = handle.wait(threads).value();
        EXPECT_GE(woken, 1u);
        EXPECT_LE(woken, 2u * turns + 1);
        wait_for_end(threads, left);
        end_executors();
    });
    join();
}

Task<Result<void>> sleep_long(Scope&, Nanos duration) {
    co_return co_await sleep_for(duration);
}

TEST_F(AsyncThreads, ThreadsCancelTasksAndWaitForThem) {
    start([&] {
        for (u32 turn = 0; turn < turns / 10; ++turn) {
            auto long_one = spawn(left, sleep_long(left, Nanos{60'000'000'000}));
            auto short_one = spawn(right, sleep_long(right, Nanos{turn % 3 * 10'000}));
            if (turn % 2 == 0) {
                EXPECT_EQ(
                    long_one.wait(threads, in_short() - Nanos{999'000}).error(), Error::timed_out);
            }
            short_one.cancel();
            long_one.cancel();
            EXPECT_EQ(long_one.wait(threads).error(), Error::cancelled);
            auto const outcome = short_one.wait(threads);
            EXPECT_TRUE(outcome.has_value() || outcome.error() == Error::cancelled);
        }
        for (u32 index = 0; index < 50; ++index) {
            spawn(left, sleep_long(left, Nanos{60'000'000'000})).detach();
        }
        left.cancel();
        wait_for_end(threads, left);
        end_executors();
    });
    join();
}

TEST_F(AsyncThreads, WhatDoesNotComeIsNotWaitedForBeyondTheDeadline) {
    start([&] {
        Event event;
        AsyncMutex mutex;
        Numbers numbers;
        EXPECT_EQ(event.wait_blocking(threads, in_short()).error(), Error::timed_out);
        EXPECT_EQ(numbers.receive_blocking(threads, in_short()).error(), Error::timed_out);
        auto const held = mutex.lock_blocking(threads);
        EXPECT_EQ(mutex.lock_blocking(threads, in_short()).error(), Error::timed_out);
        end_executors();
    });
    join();
}

} // namespace
} // namespace twofold::async
