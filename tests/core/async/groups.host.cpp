// Tasks beside each other: when_all, when_any, with_timeout; all have ended when who awaits goes
// on.
#include "tests/core/async/tasks_test.hpp"

namespace twofold::async {
namespace {

struct Inside {
    explicit Inside(int& its_count) : count(its_count) { ++count; }
    Inside(Inside const&) = delete;
    Inside& operator=(Inside const&) = delete;
    ~Inside() { --count; }

    int& count;
};

Task<Result<u32>> sleep_and_return(Scope&, Nanos duration, u32 value, int& inside) {
    Inside const mark(inside);
    auto const outcome = co_await sleep_for(duration);
    if (!outcome) {
        co_return outcome.error();
    }
    co_return value;
}

Task<u32> all_of_three(Scope& scope, int& inside) {
    auto results = co_await when_all(
        sleep_and_return(scope, Nanos{300}, 1, inside),
        sleep_and_return(scope, Nanos{100}, 20, inside),
        sleep_and_return(scope, Nanos{200}, 300, inside));
    auto& [first, second, third] = results;
    co_return first.value() + second.value() + third.value();
}

TEST_F(Tasks, WhenAllRunsThemBesideEachOther) {
    int inside = 0;
    auto handle = spawn(scope, all_of_three(scope, inside));
    run();
    EXPECT_EQ(inside, 3);
    Nanos const began = clock;
    run_until(began + Nanos{299});
    EXPECT_FALSE(handle.has_ended());
    run_until(began + Nanos{300});
    EXPECT_EQ(handle_result(handle).value(), 321u);
    EXPECT_EQ(inside, 0);
}

Task<u32> count_errors_of_all(Scope& scope, int& inside) {
    auto const [first, second] = co_await when_all(
        sleep_and_return(scope, Nanos{300}, 1, inside),
        sleep_and_return(scope, Nanos{100}, 20, inside));
    u32 const cancelled = (!first && first.error() == Error::cancelled ? 1 : 0) +
                          (!second && second.error() == Error::cancelled ? 1 : 0);
    u32 const refused = (!first && first.error() == Error::out_of_memory ? 1 : 0) +
                        (!second && second.error() == Error::out_of_memory ? 1 : 0);
    co_return cancelled * 10 + refused;
}

TEST_F(Tasks, WhoIsCancelledCancelsWhatItWaitsFor) {
    int inside = 0;
    auto handle = spawn(scope, count_errors_of_all(scope, inside));
    run();
    EXPECT_EQ(inside, 2);
    handle.cancel();
    run();
    EXPECT_EQ(inside, 0);
    EXPECT_EQ(handle_result(handle).value(), 20u);
    auto late = spawn(scope, count_errors_of_all(scope, inside));
    late.cancel();
    run();
    EXPECT_EQ(handle_result(late).value(), 20u);
}

TEST_F(Tasks, AGroupBearsThatThereIsNoMemory) {
    int inside = 0;
    for (u64 const some : {1, 2}) {
        frames_max = some;
        auto handle = spawn(scope, count_errors_of_all(scope, inside));
        run_until(clock + Nanos{1000});
        frames_max = ~u64{0};
        EXPECT_EQ(handle_result(handle).value(), 3 - some);
    }
}

Task<u32> first_of_three(Scope& scope, int& inside) {
    auto const first = co_await when_any(
        sleep_and_return(scope, Nanos{300}, 1, inside),
        sleep_and_return(scope, Nanos{100}, 20, inside),
        sleep_and_return(scope, Nanos{200}, 300, inside));
    EXPECT_EQ(inside, 0);
    auto const& [one, two, three] = first.results;
    EXPECT_EQ(two.value(), 20u);
    EXPECT_EQ(one.error(), Error::cancelled);
    EXPECT_EQ(three.error(), Error::cancelled);
    co_return static_cast<u32>(first.index);
}

TEST_F(Tasks, WhenAnyEndsTheOthers) {
    int inside = 0;
    auto handle = spawn(scope, first_of_three(scope, inside));
    run_until(clock + Nanos{100});
    EXPECT_EQ(handle_result(handle).value(), 1u);
    EXPECT_FALSE(executor.next_deadline().has_value());
}

Task<void> ignore_cancellation(Scope&, Nanos until, int& inside) {
    Inside const mark(inside);
    while (inside < 2) {
        auto const outcome = co_await sleep_until(until);
        EXPECT_FALSE(outcome.has_value()); // it was told
        co_await yield();
    }
}

Task<u32> first_without_frame(Scope& scope, u64& frames_max, int& inside) {
    auto one = sleep_and_return(scope, Nanos{300}, 1, inside);
    frames_max = 0;
    auto two = sleep_and_return(scope, Nanos{100}, 20, inside);
    auto const first = co_await when_any(std::move(one), std::move(two));
    EXPECT_EQ(std::get<0>(first.results).error(), Error::cancelled);
    EXPECT_EQ(std::get<1>(first.results).error(), Error::out_of_memory);
    co_return static_cast<u32>(first.index);
}

TEST_F(Tasks, OfAnyOneWithoutAFrameIsTheFirst) {
    int inside = 0;
    auto handle = spawn(scope, first_without_frame(scope, frames_max, inside));
    run();
    frames_max = ~u64{0};
    EXPECT_EQ(handle_result(handle).value(), 1u);
}

Task<Result<u32>> with_limit(Scope& scope, Nanos deadline, Nanos duration, int& inside) {
    auto const outcome =
        co_await with_timeout(deadline, sleep_and_return(scope, duration, 5, inside));
    EXPECT_EQ(inside, 0);
    if (!outcome) {
        co_return outcome.error();
    }
    co_return outcome.value();
}

TEST_F(Tasks, ATimeoutEndsTheTaskFirst) {
    int inside = 0;
    EXPECT_EQ(result_of(with_limit(scope, clock + Nanos{100}, Nanos{50}, inside)).value(), 5u);
    EXPECT_FALSE(executor.next_deadline().has_value());
    auto late = spawn(scope, with_limit(scope, clock + Nanos{100}, Nanos{5000}, inside));
    run_until(clock + Nanos{99});
    EXPECT_EQ(inside, 1);
    run_until(clock + Nanos{1});
    EXPECT_EQ(handle_result(late).error(), Error::timed_out);
    EXPECT_FALSE(executor.next_deadline().has_value());
    EXPECT_EQ(
        result_of(with_limit(scope, clock - Nanos{100}, Nanos{5000}, inside)).error(),
        Error::timed_out);
}

TEST_F(Tasks, WhoIsCancelledUnderALimitIsNotTimedOut) {
    int inside = 0;
    auto handle = spawn(scope, with_limit(scope, clock + Nanos{100}, Nanos{50}, inside));
    run();
    handle.cancel();
    run();
    EXPECT_EQ(handle_result(handle).error(), Error::cancelled);
    EXPECT_FALSE(executor.next_deadline().has_value());
}

Task<Result<void>> limit_who_does_not_look(Scope& scope, Nanos deadline, int& inside) {
    auto const outcome =
        co_await with_timeout(deadline, ignore_cancellation(scope, Nanos{1'000'000}, inside));
    co_return outcome;
}

TEST_F(Tasks, WhoDoesNotLookIsWaitedFor) {
    int inside = 0;
    auto handle = spawn(scope, limit_who_does_not_look(scope, clock + Nanos{100}, inside));
    run();
    clock = clock + Nanos{100};
    for (int turn = 0; turn < 10; ++turn) {
        executor.turn();
    }
    EXPECT_FALSE(handle.has_ended());
    // NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores): the task reads it
    inside = 2; // now it gives in
    run();
    EXPECT_TRUE(handle.has_ended());
    EXPECT_EQ(handle_result(handle).error(), Error::timed_out);
}

Task<u32> nested(Scope& scope, Nanos deadline, int& inside) {
    int inside_other = 0;
    auto const [limited, other] = co_await when_all(
        with_limit(scope, deadline, Nanos{5000}, inside), all_of_three(scope, inside_other));
    co_return (limited.error() == Error::timed_out ? 1000u : 0u) + other.value();
}

Task<Result<u32>> fails_at_once(Scope&) {
    co_return Error::not_found;
}
Task<u32> both_fail(Scope& scope) {
    auto const [one, two] = co_await when_all(fails_at_once(scope), fails_at_once(scope));
    co_return (one.error() == Error::not_found ? 1 : 0) + (two ? 0 : 2);
}

TEST_F(Tasks, GroupsLieInGroups) {
    int inside = 0;
    auto handle = spawn(scope, nested(scope, clock + Nanos{400}, inside));
    run_until(clock + Nanos{1000});
    EXPECT_EQ(handle_result(handle).value(), 1321u);
    EXPECT_EQ(result_of(both_fail(scope)).value(), 3u);
}

} // namespace
} // namespace twofold::async
