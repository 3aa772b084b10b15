// The machine's clock, deadlines that really come, sleeping and waiting.
#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

namespace twofold::processor {
namespace {

using hal::Clock;

TEST(Time, TheMachineHasAClock) {
    ASSERT_TRUE(boot::current_kernel().has_clock);
    hal::ClockDescription const clock = Clock::describe();
    EXPECT_NE(clock.counter_hz, 0u);
    EXPECT_FALSE(clock.counter.empty());
    EXPECT_FALSE(clock.event.empty());
}

TEST(Time, NeverGoesBackwards) {
    Nanos before = Clock::now();
    EXPECT_GT(before, Nanos{});
    for (u32 i = 0; i < 10'000; ++i) {
        Nanos const now = Clock::now();
        ASSERT_GE(now, before);
        before = now;
    }
}

TEST(Time, SleepEndsNotBeforeItsDeadline) {
    for (i64 const duration : {-1, 0, 1, 1000, 200'000}) {
        Nanos const deadline = Clock::now() + Nanos{duration};
        ASSERT_TRUE(sleep_until(deadline).has_value());
        EXPECT_GE(Clock::now(), deadline);
    }
    EXPECT_EQ(this_cpu().timers.pending(), 0u);
}

TEST(Time, ManyDeadlinesGoOffInTheirOrder) {
    struct Entry {
        static void pass(void* self) {
            auto& entry = *static_cast<Entry*>(self);
            entry.order = entry.counter->fetch_add(1, release);
            entry.at = Clock::now();
        }
        Timer timer{pass, this};
        Atomic<u32>* counter = nullptr;
        u32 order = ~u32{0};
        Nanos at{};
    };
    constexpr u32 count = 7;
    Atomic<u32> passed{0};
    Entry entries[count];
    Nanos base{};
    {
        sync::InterruptGuard const off; // all are started before any goes off
        base = Clock::now() + Nanos{100'000};
        for (u32 i = 0; i < count; ++i) { // in another order than they are due
            u32 const which = i * 3 % count;
            entries[which].counter = &passed;
            ASSERT_TRUE(start_timer(entries[which].timer, base + Nanos{which * 1000}).has_value());
        }
    }
    while (passed.load(acquire) < count) {
        wait_for_interrupt([&] { return passed.load(acquire) == count; });
    }
    for (u32 i = 0; i < count; ++i) {
        EXPECT_EQ(entries[i].order, i);
        EXPECT_GE(entries[i].at, base + Nanos{i * 1000});
    }
}

TEST(Time, WaitingEndsWithTheConditionOrTheDeadline) {
    EXPECT_TRUE(wait_until([] { return true; }, Nanos{0}).has_value());
    Nanos const deadline = Clock::now() + Nanos{100'000};
    EXPECT_EQ(wait_until([] { return false; }, deadline).error(), Error::timed_out);
    EXPECT_GE(Clock::now(), deadline);
    Timeout sooner;
    ASSERT_TRUE(sooner.start(Clock::now() + Nanos{50'000}).has_value());
    EXPECT_TRUE(
        wait_until([&] { return sooner.has_passed(); }, Clock::now() + Nanos{3'600'000'000'000})
            .has_value());
    EXPECT_EQ(this_cpu().timers.pending(), 0u);
}

TEST(Time, ADeadlineIsAnInterrupt) {
    Timeout timeout;
    sync::InterruptGuard const off;
    ASSERT_TRUE(timeout.start(Clock::now()).has_value());
    while (!hal::Controller::is_pending(Clock::vector())) {
        hal::Cpu::pause();
    }
    EXPECT_FALSE(timeout.has_passed()); // it waits for interrupts to be on
}

TEST(Time, TheWallClockGoesOn) {
    WallClock& wall = boot::current_kernel().wall_clock;
    auto const first = wall.now();
    if (first) {
        constexpr i64 year_2020_ns = 1'577'836'800'000'000'000;
        EXPECT_GT(first->value, year_2020_ns);
        EXPECT_GE(wall.now()->value, first->value);
    } else {
        EXPECT_FALSE(Clock::wall().has_value());
    }
}

} // namespace
} // namespace twofold::processor
