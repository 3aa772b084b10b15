// Tasks: what awaiting them gives, when their frames go, how they wake, sleep and are cancelled;
// and that neither the stack nor the number of frames grows with how many are awaited.
#include "tests/core/async/tasks_test.hpp"

#include "core/base/base.hpp"

#include <algorithm>

namespace twofold::async {
namespace {

Task<Result<u32>> half_of(Scope&, u32 value) {
    if (value % 2 != 0) {
        co_return Error::invalid_argument;
    }
    co_return value / 2;
}

Task<u32> sum_of_halves(Scope& scope, u32 first, u32 second) {
    auto const one = co_await half_of(scope, first);
    auto const other = co_await half_of(scope, second);
    co_return (one ? one.value() : 1000) + (other ? other.value() : 1000);
}

TEST_F(Tasks, AwaitingGivesWhatATaskReturns) {
    EXPECT_EQ(result_of(sum_of_halves(scope, 4, 6)).value(), 5u);
    EXPECT_EQ(result_of(sum_of_halves(scope, 4, 7)).value(), 1002u);
    EXPECT_EQ(result_of(half_of(scope, 3)).error(), Error::invalid_argument);
}

Task<void> note_twice(Scope&, std::string& order, char letter) {
    order += letter;
    co_await yield();
    order += letter;
}

TEST_F(Tasks, TwoTasksRunConcurrently) {
    auto first = spawn(scope, note_twice(scope, order, 'a'));
    auto second = spawn(scope, note_twice(scope, order, 'b'));
    EXPECT_EQ(order, ""); // nothing runs in who spawns
    run();
    EXPECT_EQ(order, "abab");
    EXPECT_TRUE(first.has_ended() && second.has_ended());
}

TEST_F(Tasks, ATaskThatIsNeverAwaitedNeverRuns) {
    {
        auto const unused = note_twice(scope, order, 'x');
        EXPECT_EQ(frames_live, 1u);
    }
    run();
    EXPECT_EQ(order, "");
}

struct Noter {
    Noter(std::string& to, char its_letter) : order(to), letter(its_letter) {}
    Noter(Noter const&) = delete;
    Noter& operator=(Noter const&) = delete;
    ~Noter() { order += letter; }

    std::string& order;
    char letter;
};

Task<void> inner(Scope&, std::string& order) {
    Noter const noter(order, 'i');
    co_await yield();
}
Task<void> outer(Scope& scope, std::string& order) {
    Noter const noter(order, 'o');
    EXPECT_TRUE((co_await inner(scope, order)).has_value());
    order += '-';
}

TEST_F(Tasks, TheFrameOfAChildGoesBeforeItsParentGoesOn) {
    EXPECT_TRUE(result_of(outer(scope, order)).has_value());
    EXPECT_EQ(order, "i-o");
}

struct Counted {
    explicit Counted(int& its_count) : count(&its_count) { ++*count; }
    Counted(Counted const& other) : count(other.count) { ++*count; }
    Counted& operator=(Counted const&) = delete;
    ~Counted() { --*count; }

    int* count;
};
Task<u32> take_by_value(Scope&, Counted one, Counted two) {
    co_await yield();
    co_return static_cast<u32>(*one.count + (one.count == two.count ? 0 : 100));
}

TEST_F(Tasks, ParametersLiveOnceInTheFrame) {
    int count = 0;
    auto task = take_by_value(scope, Counted(count), Counted(count));
    EXPECT_EQ(count, 2);
    EXPECT_EQ(result_of(std::move(task)).value(), 2u);
    EXPECT_EQ(count, 0);
}

TEST_F(Tasks, WithoutMemoryForAFrameWhoAwaitsIsTold) {
    frames_max = 1;
    EXPECT_EQ(result_of(sum_of_halves(scope, 4, 6)).error(), Error::busy); // no joiner, either
    frames_max = 2;
    auto handle = spawn(scope, sum_of_halves(scope, 4, 6));
    auto const blocker = note_twice(scope, order, 'x');
    auto none = spawn(scope, half_of(scope, 8));
    EXPECT_TRUE(none.has_ended());
    run();
    frames_max = ~u64{0};
    EXPECT_EQ(handle_result(handle).value(), 2000u); // both halves were refused
    EXPECT_EQ(handle_result(none).error(), Error::out_of_memory);
    none.cancel();
}

Task<u32> ends_at_once(Scope&, u32 value, std::uintptr_t& lowest) {
    std::uintptr_t const here = std::bit_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest = std::min(lowest, here);
    co_return value;
}
Task<u64> await_many(Scope& scope, u32 count, std::uintptr_t& lowest, std::uintptr_t& highest) {
    u64 sum = 0;
    for (u32 i = 0; i < count; ++i) {
        auto const one = co_await ends_at_once(scope, i, lowest);
        highest = std::max(highest, std::bit_cast<std::uintptr_t>(__builtin_frame_address(0)));
        sum += one.value();
        if (i % 16 == 0) {
            co_await yield();
        }
    }
    co_return sum;
}

TEST_F(Tasks, AMillionAwaitsInARowNeedNoStack) {
    constexpr u32 count = 1'000'000;
    std::uintptr_t lowest = ~std::uintptr_t{0};
    std::uintptr_t highest = 0;
    EXPECT_EQ(
        result_of(await_many(scope, count, lowest, highest)).value(), u64{count} * (count - 1) / 2);
    EXPECT_LT(highest - lowest, 4096u);
    EXPECT_GE(frames_ever, count);
}

Task<u32> count_down(Scope& scope, u32 depth) {
    if (depth == 0) {
        co_return 0;
    }
    auto const below = co_await count_down(scope, depth - 1);
    co_return below.value() + 1;
}

TEST_F(Tasks, TasksThatAwaitEachOtherDeeplyNeedNoStack) {
    EXPECT_EQ(result_of(count_down(scope, 100'000)).value(), 100'000u);
}

Task<void>
sleep_and_note(Scope&, Executor& executor, Nanos until, u32 number, std::vector<u32>& woken) {
    EXPECT_TRUE((co_await sleep_until(until)).has_value());
    EXPECT_GE(executor.now(), until);
    woken.push_back(number);
}

TEST_F(Tasks, TenThousandSleepersWakeInOrder) {
    constexpr u32 count = 10'000;
    Random random(7);
    std::vector<std::pair<Nanos, u32>> expected;
    std::vector<u32> woken;
    woken.reserve(count);
    for (u32 i = 0; i < count; ++i) {
        Nanos const until = clock + Nanos{static_cast<i64>(random.below(2000))};
        expected.emplace_back(until, i);
        spawn(scope, sleep_and_note(scope, executor, until, i, woken)).detach();
    }
    run();
    u64 const frames_before = frames_ever;
    run_until(clock + Nanos{2000});
    EXPECT_EQ(frames_ever, frames_before); // nothing was allocated to wake them
    std::ranges::sort(expected, [](auto const& one, auto const& other) {
        return one.first != other.first ? one.first < other.first : one.second < other.second;
    });
    ASSERT_EQ(woken.size(), count);
    for (u32 i = 0; i < count; ++i) {
        ASSERT_EQ(woken[i], expected[i].second) << i;
    }
    EXPECT_EQ(executor.counts().passed.load(relaxed), count);
}

TEST_F(Tasks, ABatchIsBounded) {
    constexpr u32 count = 3 * Executor::batch_max;
    for (u32 i = 0; i < count; ++i) {
        spawn(scope, note_twice(scope, order, 'x')).detach();
    }
    EXPECT_TRUE(executor.turn());
    EXPECT_EQ(order.size(), Executor::batch_max);
    run();
    EXPECT_EQ(order.size(), 2 * count);
    EXPECT_EQ(executor.counts().started.load(relaxed), count);
    EXPECT_EQ(executor.counts().ended.load(relaxed), count);
    EXPECT_EQ(executor.counts().resumed.load(relaxed), 2 * count);
}

TEST_F(Tasks, AnExecutorThatRestsIsRousedOnce) {
    EXPECT_FALSE(executor.turn());
    EXPECT_TRUE(executor.rest());
    spawn(scope, note_twice(scope, order, 'a')).detach();
    spawn(scope, note_twice(scope, order, 'b')).detach();
    EXPECT_EQ(rouses, 1u);
    EXPECT_FALSE(executor.turn() && executor.turn()); // has work for one more batch at most
    spawn(scope, note_twice(scope, order, 'c')).detach();
    EXPECT_EQ(rouses, 1u); // it is awake
    run();
    EXPECT_EQ(order, "ababcc");
}

Task<void> wait_for_wakes(Scope&, std::optional<Waker>& waker, u32& woken, u32 turns) {
    waker = co_await this_waker();
    for (u32 i = 0; i < turns; ++i) {
        auto const outcome = co_await until_woken();
        if (!outcome) {
            co_return;
        }
        ++woken;
    }
}

TEST_F(Tasks, AWakeUpThatComesTwiceCountsOnceAndOneThatComesFirstIsKept) {
    std::optional<Waker> waker;
    u32 woken = 0;
    auto handle = spawn(scope, wait_for_wakes(scope, waker, woken, 3));
    run();
    waker->wake();
    waker->wake();
    run();
    EXPECT_EQ(woken, 1u);
    run();
    EXPECT_EQ(woken, 1u);
    waker->wake();
    run();
    EXPECT_EQ(woken, 2u);
    handle.cancel();
    run();
    EXPECT_EQ(woken, 2u);
    EXPECT_TRUE(handle.has_ended());
    waker->wake(); // its frame lives with the handle
    run();
}

Task<void> sleep_then_wait(Scope&, std::optional<Waker>& waker, std::string& order, Nanos until) {
    waker = co_await this_waker();
    waker->wake(); // while it runs
    EXPECT_TRUE((co_await sleep_until(until)).has_value());
    order += 's';
    EXPECT_TRUE((co_await until_woken()).has_value());
    order += 'w';
    EXPECT_TRUE((co_await until_woken()).has_value());
    order += 'v';
}

TEST_F(Tasks, AWakerResumesNobodyWhoWaitsForSomethingElseAndIsKept) {
    std::optional<Waker> waker;
    spawn(scope, sleep_then_wait(scope, waker, order, clock + Nanos{100})).detach();
    run();
    EXPECT_EQ(order, "");
    waker->wake();
    run();
    EXPECT_EQ(order, "");
    run_until(clock + Nanos{100});
    EXPECT_EQ(order, "sw"); // both before count as one
    waker->wake();
    run();
    EXPECT_EQ(order, "swv");
}

Task<Result<void>> sleep_long(Scope&, std::string& order) {
    auto const outcome = co_await sleep_for(Nanos{1'000'000});
    order += outcome ? 'd' : 'c';
    auto const again = co_await sleep_for(Nanos{1'000'000}); // who is cancelled waits no longer
    order += again ? 'd' : 'c';
    co_return outcome;
}

TEST_F(Tasks, WhoIsCancelledIsWokenFromItsSleep) {
    auto handle = spawn(scope, sleep_long(scope, order));
    run();
    EXPECT_TRUE(executor.next_deadline().has_value());
    handle.cancel();
    run();
    EXPECT_EQ(order, "cc");
    EXPECT_FALSE(executor.next_deadline().has_value());
    EXPECT_EQ(handle_result(handle).error(), Error::cancelled);
}

TEST_F(Tasks, WhoIsCancelledBeforeItBeginsDoesNotWait) {
    auto handle = spawn(scope, sleep_long(scope, order));
    handle.cancel();
    handle.cancel();
    run();
    EXPECT_EQ(order, "cc");
}

Task<u32> ignore_all(Scope&) {
    u32 turns = 0;
    while (turns < 200) {
        co_await yield();
        ++turns;
    }
    bool const was_told = co_await is_cancelled();
    co_return was_told ? turns : 0;
}

TEST_F(Tasks, WhoDoesNotLookRunsOn) {
    auto handle = spawn(scope, ignore_all(scope));
    executor.turn();
    handle.cancel();
    run();
    EXPECT_EQ(handle_result(handle).value(), 200u);
}

TEST_F(Tasks, AScopeCancelsAllThatRunInItAndAllThatCome) {
    Scope own(executor, frames);
    auto first = spawn(own, sleep_long(own, order));
    auto second = spawn(own, sleep_long(own, order));
    auto other = spawn(scope, sleep_long(scope, order));
    run();
    own.cancel();
    own.cancel();
    auto late = spawn(own, sleep_long(own, order));
    run();
    EXPECT_EQ(order, "cccccc");
    EXPECT_TRUE(first.has_ended() && second.has_ended() && late.has_ended());
    EXPECT_FALSE(other.has_ended());
    EXPECT_TRUE(
        result_of([&own](Scope&) -> Task<Result<void>> { co_return co_await end_of(own); }(scope))
            .has_value());
}

Task<Result<void>> run_in_own_scope(Scope& scope, FrameSource const& frames, std::string& order) {
    Scope own(scope.executor(), frames);
    for (int i = 0; i < 3; ++i) {
        spawn(own, sleep_long(own, order)).detach();
    }
    auto const outcome = co_await end_of(own);
    order += 'e';
    co_return outcome;
}

TEST_F(Tasks, AScopeEndsWhenAllItsTasksHave) {
    EXPECT_TRUE(result_of(run_in_own_scope(scope, frames, order)).has_value());
    EXPECT_EQ(order, "dddddde");
}

TEST_F(Tasks, WhoWaitsForTheEndOfAScopeAndIsCancelledCancelsIt) {
    auto handle = spawn(scope, run_in_own_scope(scope, frames, order));
    run();
    handle.cancel();
    run();
    EXPECT_EQ(order, "cccccce");
    EXPECT_EQ(handle_result(handle).error(), Error::cancelled);
}

TEST_F(Tasks, AFrameLivesAsLongAsItsTaskRunsOrItsHandleIsHeld) {
    {
        auto const handle = spawn(scope, note_twice(scope, order, 'a'));
        run();
        EXPECT_EQ(frames_live, 1u);
    }
    EXPECT_EQ(frames_live, 0u);
    spawn(scope, note_twice(scope, order, 'b')).detach();
    EXPECT_EQ(frames_live, 1u);
    run();
    EXPECT_EQ(frames_live, 0u);
    EXPECT_EQ(order, "aabb");
}

Task<Result<u32>> join_other(Scope&, JoinHandle<Result<void>>& other) {
    auto const outcome = co_await other;
    if (!outcome) {
        co_return outcome.error();
    }
    co_return 1u;
}

TEST_F(Tasks, WhoJoinsCanBeCancelledAndTheOtherRunsOn) {
    auto other = spawn(scope, sleep_long(scope, order));
    auto joiner = spawn(scope, join_other(scope, other));
    run();
    joiner.cancel();
    run();
    EXPECT_TRUE(joiner.has_ended());
    EXPECT_FALSE(other.has_ended());
    auto second = spawn(scope, join_other(scope, other));
    run_until(clock + Nanos{3'000'000});
    EXPECT_EQ(handle_result(joiner).error(), Error::cancelled);
    EXPECT_EQ(handle_result(second).value(), 1u);
    EXPECT_EQ(order, "dd");
}

} // namespace
} // namespace twofold::async
