// Clocks: time that never goes backwards, and deadlines that never come early, whatever is asked.
//
// The kernel's own handler takes what fires here; a deadline that its queue had armed is armed
// again by it.
#include "hal/conformance/interrupt_support.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using conformance::comes_true;
using conformance::taken;
using hal::Clock;
using hal::Interrupt;
using hal::InterruptState;

namespace {

constexpr i64 never_ns = i64{~u64{0} >> 1};
constexpr Nanos a_while{200'000};

/// Interrupts disabled for a scope; what was armed in it fires after it, and the kernel's queue
/// gets its own deadline back.
class Arming {
public:
    Arming() : m_before(Interrupt::disable()) {}
    Arming(Arming const&) = delete;
    Arming& operator=(Arming const&) = delete;
    ~Arming() { Interrupt::restore(m_before); }

private:
    InterruptState m_before;
};

void arm(Nanos deadline) {
    Arming const off;
    Clock::arm(deadline);
}

/// Whether the deadline's interrupt comes within seconds.
bool fires(u64 taken_before) {
    return comes_true([&] { return taken(Clock::vector()) != taken_before; });
}

/// The kernel's queue arms what it waits for.
void settle() {
    u64 const before = taken(Clock::vector());
    arm({0});
    EXPECT_TRUE(fires(before));
}

} // namespace

TEST(Clock, DescribesItself) {
    hal::ClockDescription const clock = Clock::describe();
    EXPECT_FALSE(clock.counter.empty());
    EXPECT_FALSE(clock.reference.empty());
    EXPECT_FALSE(clock.event.empty());
    EXPECT_GE(clock.counter_hz, 1'000'000u);
    EXPECT_LT(clock.error_ppm, 100'000u);
}

TEST(Clock, NeverGoesBack) {
    Nanos last = Clock::now();
    Nanos const first = last;
    EXPECT_GT(first.value, 0);
    for (unsigned i = 0; i < 100'000; ++i) {
        Nanos const now = Clock::now();
        ASSERT_GE(now, last);
        last = now;
    }
    EXPECT_GT(last, first);
}

TEST(Clock, IsTheSameOnEveryProcessor) {
    conformance::for_each_other([](CpuId cpu) {
        struct {
            Nanos time;
        } there;
        Nanos const before = Clock::now();
        auto const read = [](void* to) { static_cast<decltype(there)*>(to)->time = Clock::now(); };
        ASSERT_TRUE(boot::current_kernel().cpus.call(cpu, read, &there).has_value());
        Nanos const after = Clock::now();
        EXPECT_GE(there.time, before);
        EXPECT_LE(there.time, after);
    });
}

TEST(Clock, ADeadlineFiresOnceAndNotBefore) {
    for (i64 const ahead_ns : {1, 100, 10'000, 1'000'000}) {
        u64 const before = taken(Clock::vector());
        Nanos const deadline = Clock::now() + Nanos{ahead_ns};
        arm(deadline);
        ASSERT_TRUE(fires(before));
        EXPECT_GE(Clock::now(), deadline);
    }
    settle();
}

TEST(Clock, OneThatIsPastFiresAtOnce) {
    i64 const now_ns = Clock::now().value;
    for (i64 const past_ns : {now_ns, now_ns - 1, i64{1}, i64{0}, i64{-1}, -never_ns, ~never_ns}) {
        u64 const before = taken(Clock::vector());
        arm({past_ns});
        EXPECT_TRUE(fires(before));
    }
    settle();
}

TEST(Clock, OneFarAwayDoesNotFire) {
    constexpr i64 two_to_32 = i64{1} << 32;
    i64 const now_ns = Clock::now().value;
    i64 const edges[] = {now_ns + two_to_32 - 1,
                         now_ns + two_to_32,
                         now_ns + two_to_32 + 1,
                         now_ns + 2 * two_to_32,
                         now_ns + (i64{1} << 52),
                         never_ns - two_to_32,
                         never_ns - 1,
                         never_ns};
    for (i64 const deadline_ns : edges) {
        if (deadline_ns <= now_ns) {
            continue; // a machine that has run for longer than that
        }
        u64 const before = taken(Clock::vector());
        arm({deadline_ns});
        conformance::spend(a_while);
        EXPECT_EQ(taken(Clock::vector()), before);
    }
    settle();
}

TEST(Clock, TheLastOneCounts) {
    u64 const before = taken(Clock::vector());
    {
        Arming const off;
        Clock::arm(Clock::now() + a_while);
        Clock::arm(Clock::now() + Nanos{3'600'000'000'000});
    }
    conformance::spend({2 * a_while.value});
    EXPECT_EQ(taken(Clock::vector()), before);
    arm(Clock::now() + a_while);
    EXPECT_TRUE(fires(before));
    settle();
}

TEST(Clock, OneThatIsWithdrawnDoesNotFire) {
    u64 const before = taken(Clock::vector());
    {
        Arming const off;
        Clock::arm(Clock::now() + a_while);
        Clock::disarm();
    }
    conformance::spend({2 * a_while.value});
    EXPECT_EQ(taken(Clock::vector()), before);
    settle();
}

TEST(Clock, OneThatFiresWhileInterruptsAreDisabledIsKept) {
    u64 const before = taken(Clock::vector());
    {
        Arming const off;
        Clock::arm(Clock::now() + Nanos{1000});
        EXPECT_TRUE(comes_true([] { return hal::Controller::is_pending(Clock::vector()); }));
        EXPECT_EQ(taken(Clock::vector()), before);
    }
    EXPECT_TRUE(fires(before));
    conformance::spend(a_while);
    EXPECT_EQ(taken(Clock::vector()), before + 1);
    settle();
}

TEST(Clock, EveryProcessorHasItsOwnDeadline) {
    struct Seen {
        u64 before = 0;
        Atomic<u64> now{0};
    };
    conformance::for_each_other([](CpuId cpu) {
        Seen seen;
        u64 const here = taken(Clock::vector());
        auto const arm_there = [](void* to) {
            static_cast<Seen*>(to)->before = taken(Clock::vector());
            Clock::arm(Clock::now() + Nanos{10'000}); // in an interrupt: they are disabled
        };
        auto const look_there = [](void* to) {
            static_cast<Seen*>(to)->now.store(taken(Clock::vector()), release);
        };
        auto& cpus = boot::current_kernel().cpus;
        ASSERT_TRUE(cpus.call(cpu, arm_there, &seen).has_value());
        EXPECT_TRUE(comes_true([&] {
            return cpus.call(cpu, look_there, &seen).has_value() &&
                   seen.now.load(acquire) == seen.before + 1;
        }));
        EXPECT_EQ(taken(Clock::vector()), here);
    });
}

TEST(Clock, ASleeperIsWoken) {
    Nanos const deadline = Clock::now() + a_while;
    u64 const before = taken(Clock::vector());
    InterruptState const outer = Interrupt::disable();
    Clock::arm(deadline);
    while (taken(Clock::vector()) == before) {
        hal::Cpu::idle();
        ASSERT_EQ(Interrupt::state(), InterruptState::disabled);
    }
    Interrupt::restore(outer);
    EXPECT_GE(Clock::now(), deadline);
    settle();
}

TEST(Clock, AnInterruptBeforeTheSleepIsNotMissed) {
    conformance::Handler const handler(nullptr, nullptr);
    InterruptState const outer = Interrupt::disable();
    for (u32 round = 1; round <= 100; ++round) {
        hal::Controller::send(hal::Cpu::id(), handler.vector());
        while (handler.count() != round) {
            hal::Cpu::idle();
        }
    }
    Interrupt::restore(outer);
    EXPECT_EQ(handler.count(), 100u);
}

TEST(Clock, TheWallClockIsOfThisCentury) {
    constexpr i64 nanos_per_year = i64{31'556'952} * 1'000'000'000;
    auto const first = Clock::wall();
    if (!first) {
        EXPECT_FALSE(Clock::wall().has_value()); // there is none, every time
        return;
    }
    EXPECT_GT(first->value, 50 * nanos_per_year); // since 1970
    EXPECT_LT(first->value, 130 * nanos_per_year);
    auto const second = Clock::wall();
    ASSERT_TRUE(second.has_value());
    EXPECT_GE(*second, *first);
}
