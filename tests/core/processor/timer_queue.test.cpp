// The queue of deadlines under a clock that the test moves: what it arms the alarm for, what runs
// and when, and the edges of time.
#include "core/processor/timer_queue.hpp"

#include "tests/support/test.hpp"

namespace twofold::processor {
namespace {

constexpr Nanos never{INT64_MAX};

/// A clock that stands still until the test moves it, and an alarm that is only noted.
struct FakeClock {
    Nanos now{};
    Nanos armed = never;
    u32 arms = 0;
    Alarm alarm{
        .now = [](void* self) { return static_cast<FakeClock*>(self)->now; },
        .arm =
            [](void* self, Nanos deadline) {
                static_cast<FakeClock*>(self)->armed = deadline;
                ++static_cast<FakeClock*>(self)->arms;
            },
        .disarm = [](void* self) { static_cast<FakeClock*>(self)->armed = never; },
        .object = this};
};

/// A queue on that clock.
struct Bench {
    Bench() { queue.open(clock.alarm); }

    /// Lets time come to `moment`, and the alarm go off as often as it is armed for.
    void advance(Nanos moment) {
        while (clock.armed <= moment) {
            clock.now = std::max(clock.now, clock.armed);
            clock.armed = never;
            expire();
        }
        clock.now = std::max(clock.now, moment);
    }

    /// The alarm goes off: interrupts are off.
    u32 expire() {
        sync::InterruptGuard const off;
        return queue.expire();
    }

    FakeClock clock;
    TimerQueue queue;
};

/// A timer that notes when, and as how many-eth, it went off.
struct Noted {
    explicit Noted(Bench& owner, u32& counter)
        : bench(owner),
          count(counter),
          timer(
              [](void* self) {
                  auto& noted = *static_cast<Noted*>(self);
                  noted.at = noted.bench.clock.now;
                  noted.order = ++noted.count;
                  ++noted.times;
              },
              this) {}

    Bench& bench;
    u32& count;
    Timer timer;
    Nanos at = never;
    u32 order = 0;
    u32 times = 0;
};

TEST(TimerQueue, ArmsForTheEarliestAlone) {
    Bench bench;
    u32 count = 0;
    Noted late(bench, count);
    Noted early(bench, count);
    Noted middle(bench, count);
    bench.queue.start(late.timer, {3000});
    EXPECT_EQ(bench.clock.armed.value, 3000);
    bench.queue.start(early.timer, {1000});
    EXPECT_EQ(bench.clock.armed.value, 1000);
    bench.queue.start(middle.timer, {2000});
    EXPECT_EQ(bench.clock.arms, 2u); // it is not the earliest
    EXPECT_EQ(bench.queue.pending(), 3u);
    bench.advance({999});
    EXPECT_EQ(count, 0u);
    bench.advance({5000});
    EXPECT_EQ(early.at.value, 1000);
    EXPECT_EQ(middle.at.value, 2000);
    EXPECT_EQ(late.at.value, 3000);
    EXPECT_EQ(late.order, 3u);
    EXPECT_TRUE(bench.clock.armed == never); // no tick where nobody waits
    TimerStatistics const seen = bench.queue.statistics();
    EXPECT_EQ(seen.started, 3u);
    EXPECT_EQ(seen.expired, 3u);
    EXPECT_EQ(seen.alarms, 3u);
    EXPECT_EQ(bench.queue.lateness().total(), 3u);
    EXPECT_EQ(bench.queue.lateness().max(), 0u);
}

TEST(TimerQueue, EdgesOfTime) {
    Bench bench;
    u32 count = 0;
    Noted past(bench, count);
    Noted wrap_32(bench, count);
    Noted behind_32(bench, count);
    Noted last(bench, count);
    bench.clock.now = {1'000'000};
    bench.queue.start(past.timer, {INT64_MIN});
    EXPECT_EQ(bench.clock.armed.value, INT64_MIN); // at once
    bench.advance({1'000'000});
    EXPECT_EQ(past.times, 1u);
    EXPECT_EQ(bench.queue.lateness().max(), 0u); // late against its start, not against the past
    bench.queue.start(last.timer, {INT64_MAX});
    bench.queue.start(behind_32.timer, {i64{1} << 32});
    bench.queue.start(wrap_32.timer, {(i64{1} << 32) - 1});
    bench.advance({(i64{1} << 32) - 2});
    EXPECT_EQ(wrap_32.times, 0u);
    bench.advance({(i64{1} << 32) - 1});
    EXPECT_EQ(wrap_32.times, 1u);
    EXPECT_EQ(behind_32.times, 0u);
    bench.advance({INT64_MAX - 1});
    EXPECT_EQ(behind_32.at.value, i64{1} << 32);
    EXPECT_EQ(last.times, 0u);
    bench.clock.now = {INT64_MAX};
    EXPECT_EQ(bench.expire(), 1u);
    EXPECT_EQ(last.times, 1u);
}

TEST(TimerQueue, CancelledTimersDoNotGoOff) {
    Bench bench;
    u32 count = 0;
    Noted first(bench, count);
    Noted second(bench, count);
    EXPECT_FALSE(TimerQueue::cancel(first.timer)); // never started
    bench.queue.start(first.timer, {100});
    bench.queue.start(second.timer, {100});
    EXPECT_TRUE(TimerQueue::cancel(first.timer));
    EXPECT_FALSE(TimerQueue::cancel(first.timer));
    bench.advance({100});
    EXPECT_EQ(first.times, 0u);
    EXPECT_EQ(second.times, 1u);
    EXPECT_FALSE(TimerQueue::cancel_and_wait(second.timer)); // it has run
    bench.queue.start(first.timer, {200});                   // and can be started again
    bench.advance({200});
    EXPECT_EQ(first.times, 1u);
    EXPECT_EQ(bench.queue.statistics().cancelled, 1u);
}

TEST(TimerQueue, AnAlarmForWhatWasCancelledFindsTheNext) {
    Bench bench;
    u32 count = 0;
    Noted first(bench, count);
    Noted second(bench, count);
    bench.queue.start(first.timer, {100});
    bench.queue.start(second.timer, {300});
    EXPECT_TRUE(TimerQueue::cancel(first.timer));
    bench.clock.now = {100};
    EXPECT_EQ(bench.expire(), 0u);
    EXPECT_EQ(bench.clock.armed.value, 300);
    bench.advance({300});
    EXPECT_EQ(second.at.value, 300);
}

/// Starts itself again and again, `left` times.
struct Repeating {
    Repeating(Bench& owner, Nanos step)
        : bench(owner),
          period(step),
          timer(
              [](void* self) {
                  auto& repeating = *static_cast<Repeating*>(self);
                  ++repeating.times;
                  if (repeating.left-- > 0) {
                      repeating.bench.queue.start(
                          repeating.timer, repeating.bench.clock.now + repeating.period);
                  }
              },
              this) {}

    Bench& bench;
    Nanos period;
    Timer timer;
    u32 left = 0;
    u32 times = 0;
};

TEST(TimerQueue, AFunctionMayStartItsOwnTimer) {
    Bench bench;
    Repeating repeating(bench, {10});
    repeating.left = 9;
    bench.queue.start(repeating.timer, {10});
    bench.advance({1000});
    EXPECT_EQ(repeating.times, 10u);
    EXPECT_EQ(bench.queue.pending(), 0u);
}

TEST(TimerQueue, AFunctionMayStartItsOwnTimerForThePastWhileTimeGoesBy) {
    Bench bench;
    struct Late {
        explicit Late(Bench& owner) : bench(owner) {}
        Bench& bench;
        u32 times = 0;
        Timer timer{
            [](void* self) {
                auto& late = *static_cast<Late*>(self);
                late.bench.clock.now = late.bench.clock.now + Nanos{5};
                if (++late.times < 3) {
                    late.bench.queue.start(late.timer, {1});
                }
            },
            this};
    } late(bench);
    bench.queue.start(late.timer, {10});
    bench.advance({1000});
    EXPECT_EQ(late.times, 3u);
    EXPECT_EQ(bench.queue.lateness().max(), 0u); // none before it was asked for
}

TEST(TimerQueue, DeadlinesInThePastLeaveTheProcessorTime) {
    Bench bench;
    Repeating repeating(bench, {-1});
    repeating.left = 1000;
    bench.clock.now = {1'000'000};
    bench.queue.start(repeating.timer, {0});
    bench.clock.armed = never;
    for (u32 ran = TimerQueue::batch_max; ran < TimerQueue::in_a_row_max;
         ran += TimerQueue::batch_max) {
        EXPECT_EQ(bench.expire(), TimerQueue::batch_max);
        EXPECT_LE(bench.clock.armed, bench.clock.now); // the rest is due, and comes at once
        EXPECT_EQ(bench.queue.statistics().overruns, 0u);
    }
    EXPECT_EQ(bench.expire(), TimerQueue::batch_max);
    EXPECT_EQ(bench.clock.armed.value, 1'000'000 + TimerQueue::overrun_pause.value);
    EXPECT_EQ(bench.queue.statistics().overruns, 1u);
    EXPECT_TRUE(TimerQueue::cancel(repeating.timer));
}

TEST(TimerQueue, ABatchEndsWhenItHasTakenLong) {
    Bench bench;
    struct Slow {
        Bench& bench;
        u32& times;
        Timer timer{
            [](void* self) {
                auto& slow = *static_cast<Slow*>(self);
                ++slow.times;
                slow.bench.clock.now = slow.bench.clock.now + TimerQueue::batch_time;
            },
            this};
    };
    u32 times = 0;
    Slow first{bench, times}, second{bench, times};
    bench.queue.start(first.timer, {10});
    bench.queue.start(second.timer, {10});
    bench.clock.now = {10};
    EXPECT_EQ(bench.expire(), 1u);
    EXPECT_LE(bench.clock.armed, bench.clock.now); // the other one comes at once
    EXPECT_EQ(bench.expire(), 1u);
    EXPECT_EQ(times, 2u);
}

TEST(TimerQueue, LatenessIsCounted) {
    Bench bench;
    u32 count = 0;
    Noted noted(bench, count);
    bench.queue.start(noted.timer, {1000});
    bench.clock.now = {1700};
    EXPECT_EQ(bench.expire(), 1u);
    EXPECT_EQ(bench.queue.lateness().max(), 700u);
    Nanos earliest{};
    EXPECT_FALSE(bench.queue.earliest(earliest));
}

} // namespace
} // namespace twofold::processor
