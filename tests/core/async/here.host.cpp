// An executor that knows its own stack: what its own code queues takes no way that is open to all,
// and in the order in which it would have come by that; and frames that are kept for the next
// tasks.
#include "core/async/frame_cache.hpp"
#include "tests/core/async/tasks_test.hpp"
#include "tests/support/host_stack.hpp"

#include <thread>

namespace twofold::async {
namespace {

class TasksHere : public Tasks {
protected:
    TasksHere() {
        memory::KernelStack const stack = test::host_stack();
        executor.set_stack(stack.base, stack.size);
    }
    /// On a thread of its own, which ends before this returns.
    template<class Code>
    static void elsewhere(Code const& code) {
        std::thread(code).join();
    }
    /// Spawned without a handle.
    void leave(Scope& where, Task<void> task) {
        EXPECT_TRUE(spawn_detached(where, std::move(task)));
    }
};

Task<void> write_down(Scope&, std::string& order, char letter) {
    order += letter;
    co_return;
}
Task<void> write_down_and_spawn(Scope& scope, std::string& order, u32 depth) {
    order += static_cast<char>('a' + depth);
    if (depth > 0) {
        spawn(scope, write_down_and_spawn(scope, order, depth - 1)).detach();
        spawn(scope, write_down_and_spawn(scope, order, depth - 1)).detach();
    }
    co_return;
}

TEST_F(TasksHere, OnlyItsOwnCodeIsHere) {
    EXPECT_TRUE(executor.is_here());
    elsewhere([&] { EXPECT_FALSE(executor.is_here()); });
    {
        sync::NoPreemptGuard const stay;
        EXPECT_FALSE(executor.is_here());
    }
    {
        sync::InterruptGuard const off;
        sync::ContextScope const handler(*sync::cpu_state(), sync::ExecutionContext::irq);
        EXPECT_FALSE(executor.is_here());
    }
    EXPECT_TRUE(executor.is_here());
    Executor const stackless({.now = nullptr, .wake = nullptr, .object = nullptr});
    EXPECT_FALSE(stackless.is_here());
}

TEST_F(TasksHere, WhatIsQueuedHereAndElsewhereKeepsItsOrder) {
    for (char letter = 'a'; letter < 'i'; letter = static_cast<char>(letter + 2)) {
        leave(scope, write_down(scope, order, letter));
        elsewhere([&] {
            test::Processor const other(1, 2, nullptr);
            leave(scope, write_down(scope, order, static_cast<char>(letter + 1)));
        });
    }
    run();
    EXPECT_EQ(order, "abcdefgh");
    EXPECT_EQ(executor.counts().woken.load(relaxed), 4u) << "one of two took the other way";
}

TEST_F(TasksHere, TasksThatSpawnTasksRunInOrder) {
    leave(scope, write_down_and_spawn(scope, order, 2));
    run();
    EXPECT_EQ(order, "cbbaaaa");
}

TEST_F(TasksHere, ItsOwnCodeEndsItsRest) {
    EXPECT_TRUE(executor.rest());
    leave(scope, write_down(scope, order, 'a'));
    EXPECT_EQ(rouses, 0u) << "who asks is awake";
    EXPECT_FALSE(executor.rest());
    run();
    EXPECT_EQ(order, "a");
    EXPECT_TRUE(executor.rest());
    elsewhere([&] {
        test::Processor const other(1, 2, nullptr);
        leave(scope, write_down(scope, order, 'b'));
    });
    EXPECT_EQ(rouses, 1u);
    run();
    EXPECT_EQ(order, "ab");
}

Task<Result<void>> fill_and_await(Scope& scope, Scope& own, std::string& order) {
    for (u32 round = 0; round < 3; ++round) {
        for (u32 number = 0; number < 5; ++number) {
            spawn(own, write_down(own, order, static_cast<char>('0' + round))).detach();
        }
        co_await yield(); // so that there are some that are over, whose counts are used again
    }
    static_cast<void>(scope);
    auto const outcome = co_await end_of(own);
    order += 'e';
    co_return outcome;
}

TEST_F(TasksHere, AScopeLastsUntilAllThatWasSpawnedHereHasEnded) {
    Scope own(executor, frames);
    leave(own, write_down(own, order, 'x'));
    run(); // so that one is over before
    EXPECT_TRUE(result_of(fill_and_await(scope, own, order)).has_value());
    EXPECT_EQ(order, "x000001111122222e");
    leave(own, write_down(own, order, 'y')); // it can be used anew
    run();
    EXPECT_EQ(order, "x000001111122222ey");
    EXPECT_TRUE(result_of(fill_and_await(scope, own, order)).has_value());
}

// ---- frames that are kept ----

class KeptFrames : public TasksHere {
protected:
    void run_one() {
        leave(kept, write_down(kept, order, 'x'));
        run();
    }

    FrameCache cache{executor, frames};
    Scope kept{executor, cache.frames()};
};

Task<void> hold_much(Scope&, std::string& order, u64 value) {
    u64 much[40];
    for (u64& one : much) {
        one = value++;
    }
    co_await yield();
    order += much[39] == value - 1 ? 'm' : '?';
}
Task<void> hold_too_much(Scope&, std::string& order) {
    char much[FrameCache::frame_max];
    much[0] = 't';
    co_await yield();
    order += much[0];
}

TEST_F(KeptFrames, AreUsedAgain) {
    for (u32 number = 0; number < 100; ++number) {
        run_one();
    }
    EXPECT_EQ(order, std::string(100, 'x'));
    EXPECT_EQ(frames_ever, FrameCache::keeps_any ? 1u : 100u);
    EXPECT_EQ(frames_live, FrameCache::keeps_any ? 1u : 0u);
    cache.trim();
    EXPECT_EQ(frames_live, 0u);
    EXPECT_EQ(cache.kept(), Bytes{0});
}

TEST_F(KeptFrames, AreNoMoreThanMayBe) {
    u64 const many = 2 * FrameCache::bytes_max / 100;
    for (u64 number = 0; number < many; ++number) {
        leave(kept, write_down(kept, order, 'x'));
    }
    EXPECT_EQ(frames_live, many);
    run();
    EXPECT_EQ(order.size(), many);
    EXPECT_LE(cache.kept().value, FrameCache::bytes_max);
    if (FrameCache::keeps_any) {
        EXPECT_GT(cache.kept().value, FrameCache::bytes_max - FrameCache::frame_max);
        EXPECT_LT(frames_live, many);
        EXPECT_GE(cache.kept().value, frames_live * 100);
    }
}

TEST_F(KeptFrames, OfOneSizeServeNoOther) {
    run_one();
    leave(kept, hold_much(kept, order, 7));
    leave(kept, write_down(kept, order, 'y'));
    run();
    EXPECT_EQ(order, "xym");
    EXPECT_EQ(frames_ever, FrameCache::keeps_any ? 2u : 3u);
}

TEST_F(KeptFrames, AreGivenBackWhereMemoryRunsOut) {
    run_one();
    frames_max = frames_live == 0 ? 1 : frames_live; // no more than there are
    leave(kept, hold_much(kept, order, 7));
    run();
    EXPECT_EQ(order, "xm");
}

TEST_F(KeptFrames, WithoutAnyNoMemoryIsAnError) {
    frames_max = 0;
    auto const handle = spawn(kept, write_down(kept, order, 'x'));
    EXPECT_TRUE(handle.has_ended());
    EXPECT_FALSE(spawn_detached(kept, hold_much(kept, order, 7)));
    frames_max = ~u64{0};
    run_one();
    frames_max = 1; // that one is kept, or was given back
    leave(kept, write_down(kept, order, 'y'));
    EXPECT_FALSE(spawn_detached(kept, write_down(kept, order, 'z')));
    run();
    EXPECT_EQ(order, "xy");
}

TEST_F(KeptFrames, LongOnesAreNot) {
    leave(kept, hold_too_much(kept, order));
    run();
    EXPECT_EQ(order, "t");
    EXPECT_EQ(frames_live, 0u);
}

TEST_F(KeptFrames, AreTakenAndGivenByItsOwnCodeAlone) {
    run_one();
    u64 const before = frames_ever;
    Bytes const held = cache.kept();
    elsewhere([&] {
        test::Processor const other(1, 2, nullptr);
        leave(kept, write_down(kept, order, 'y'));
    });
    EXPECT_EQ(frames_ever, before + 1);
    EXPECT_EQ(cache.kept(), held);
    {
        sync::NoPreemptGuard const stay;
        Task<void> const unused = write_down(kept, order, 'z');
        EXPECT_TRUE(unused.has_frame());
        EXPECT_EQ(cache.kept(), held);
    }
    EXPECT_EQ(cache.kept(), held);
    run(); // y's ends here, and is kept
    EXPECT_EQ(order, "xy");
    EXPECT_EQ(cache.kept().value, 2 * held.value);
}

} // namespace
} // namespace twofold::async
