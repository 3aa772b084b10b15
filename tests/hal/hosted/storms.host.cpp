// Several processors of the hosted machine under load: one time for all, and interrupts between
// them of which none is lost, doubled or seen by what it interrupts.
#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "tests/hal/hosted/many.hpp"
#include "tests/hal/hosted/register_loop.hpp"

#include <gtest/gtest.h>

#include <isa/cpuid.hpp>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;
using hal::Controller;
using hal::Interrupt;
using hal::InterruptState;

/// Processors that hand each other the latest time that they have seen.
struct Clocks : Many {
    u64 latest = 0, backwards = 0, finished = 0, ready = 0;

    void compare() {
        add(ready);
        while (load(ready) < hal::Cpu::count()) {
            hal::Cpu::pause();
        }
        for (u32 round = 0; round < 2000; ++round) {
            u64 before = load(latest);
            auto const now = static_cast<u64>(hal::Clock::now().value);
            add(backwards, now < before ? 1 : 0);
            if (round % 16 == 0) { // the host may have fewer processors
                hosted::yield_to_host();
            }
            while (before < now &&
                   !__atomic_compare_exchange_n(
                       &latest, &before, now, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            }
        }
        add(finished);
    }
};

TEST(HostedStorms, ProcessorsHaveOneTime) {
    for (bool const by_host_clock : {false, true}) {
        Clocks clocks;
        bool distrusts = by_host_clock;
        clocks.argument = &distrusts;
        clocks.body = [](Probe& self, hal::BootInfo const& info) {
            auto& it = static_cast<Clocks&>(self);
            it.start_all(info);
            i64 const before = hal::Clock::now().value;
            if (*static_cast<bool*>(it.argument)) {
                it.failures += hal::Clock::distrust_counter() ? 0 : 1;
            }
            it.failures += hal::Clock::now().value < before ? 1 : 0;
            it.compare();
            while (load(it.finished) < hal::Cpu::count()) {
                hal::Cpu::pause();
            }
        };
        clocks.on_processor = [](Probe& self) {
            static_cast<Clocks&>(self).arrive();
            static_cast<Clocks&>(self).compare();
        };
        ASSERT_EQ(run_to_end(clocks, config_of(4)).kind, Stop::Kind::exited);
        EXPECT_EQ(clocks.backwards, 0u) << by_host_clock;
        EXPECT_EQ(clocks.failures, 0u) << by_host_clock;
    }
}

/// Processors that send to one that computes. Each sender owns some vectors, raises each once in a
/// burst and begins the next when all have arrived: so one that is lost would be missed, and one
/// that is doubled be seen.
struct Storm : Many {
    static constexpr u8 first_vector = 60, burst = 24;
    u64 rounds = 0;
    u64 sent[256] = {}, received[256] = {}; ///< by vector
    u64 doubled = 0, deadlines = 0, finished = 0, wrong_registers = 0, loops = 0;
    alignas(64) u8 pattern[512] = {};
};

void take_of_storm(Probe& probe, hal::Interruption const& interruption) {
    auto& storm = static_cast<Storm&>(probe);
    u8 const vector = interruption.vector.value;
    if (interruption.vector == hal::Clock::vector()) {
        ++storm.deadlines;
        hal::Clock::arm({hal::Clock::now().value + 30'000});
    } else {
        storm.doubled += storm.received[vector] + 1 == load(storm.sent[vector]) ? 0 : 1;
        add(storm.received[vector]);
    }
    Controller::acknowledge(interruption.vector);
}

void send_storm(Probe& probe) {
    auto& storm = static_cast<Storm&>(probe);
    storm.arrive();
    auto const first =
        static_cast<u8>(Storm::first_vector + (hal::Cpu::id().value - 1) * Storm::burst);
    for (u64 round = 1; round <= storm.rounds; ++round) {
        for (u8 i = 0; i < Storm::burst; ++i) {
            u8 const vector = static_cast<u8>(first + (round % 2 == 0 ? i : Storm::burst - 1 - i));
            add(storm.sent[vector]);
            Controller::send({0}, {vector});
        }
        for (u8 i = 0; i < Storm::burst; ++i) {
            while (load(storm.received[first + i]) < round) {
                hal::Cpu::pause();
            }
        }
    }
    add(storm.finished);
}

/// The number of senders, and how often each sends.
class HostedStorms : public testing::TestWithParam<std::pair<u32, u64>> {};

TEST_P(HostedStorms, AComputationKeepsItsRegistersAndNoInterruptIsLostOrDoubled) {
    if (!isa::has(isa::decode(isa::read_cpuid()), isa::Feature::avx2)) {
        GTEST_SKIP() << "the host has no AVX2";
    }
    auto const [senders, rounds] = GetParam();
    Storm storm;
    storm.rounds = rounds;
    for (usize i = 0; i < sizeof(storm.pattern); ++i) {
        storm.pattern[i] = static_cast<u8>(i * 7 + 1);
    }
    storm.on_interrupt = take_of_storm;
    storm.on_processor = send_storm;
    storm.body = [](Probe& self, hal::BootInfo const& info) {
        auto& it = static_cast<Storm&>(self);
        it.start_all(info);
        InterruptState const before = Interrupt::disable();
        hal::Clock::arm({hal::Clock::now().value + 30'000});
        Interrupt::restore(before);
        while (load(it.finished) + 1 < hal::Cpu::count()) {
            it.wrong_registers +=
                register_loop(20'000, it.pattern, it.pattern); // no safe point in there
            ++it.loops;
        }
    };
    ASSERT_EQ(run_to_end(storm, config_of(senders + 1)).kind, Stop::Kind::exited);
    for (u32 i = 0; i < senders * Storm::burst; ++i) {
        EXPECT_EQ(storm.received[Storm::first_vector + i], rounds) << i;
    }
    EXPECT_EQ(storm.doubled, 0u);
    EXPECT_EQ(storm.wrong_registers, 0u);
    EXPECT_GT(storm.deadlines, 0u);
    EXPECT_GT(storm.loops, 0u);
}

/// A processor that takes a lock with interrupts on, its handler, which takes another, and a
/// processor that sends.
struct LockStorm : Many {
    static constexpr hal::Vector vector{60};
    sync::SpinLock of_thread{sync::LockRank::heap};
    sync::SpinLock of_handler{sync::LockRank::timers};
    u64 interrupts_wanted = 0, taken = 0, unnoted = 0;
};

TEST(HostedLocks, AHandlersLockMayComeBetweenTheStepsOfNotingOne) {
    LockStorm storm;
    storm.interrupts_wanted = 5'000;
    storm.on_interrupt = [](Probe& self, hal::Interruption const& interruption) {
        auto& it = static_cast<LockStorm&>(self);
        {
            sync::ContextScope const scope(it.state, sync::ExecutionContext::irq);
            sync::SpinLockGuard const guard(it.of_handler, sync::interrupts_are_off);
            add(it.taken);
        }
        Controller::acknowledge(interruption.vector);
    };
    storm.on_processor = [](Probe& self) {
        auto& it = static_cast<LockStorm&>(self);
        it.arrive();
        for (u64 sent = 1; sent <= it.interrupts_wanted; ++sent) {
            Controller::send({0}, LockStorm::vector);
            while (load(it.taken) < sent) {
                hal::Cpu::pause();
            }
        }
    };
    storm.body = [](Probe& self, hal::BootInfo const& info) {
        auto& it = static_cast<LockStorm&>(self);
        it.start_all(info);
        while (load(it.taken) < it.interrupts_wanted) {
            sync::SpinLockGuard const guard(it.of_thread, sync::interrupts_stay_on);
            bool const is_noted =
                it.state.held_count == 1 && it.state.held[0] == sync::LockRank::heap;
            it.unnoted += is_noted || !checks_enabled ? 0 : 1;
        }
    };
    ASSERT_EQ(run_to_end(storm, config_of(2)).kind, Stop::Kind::exited);
    EXPECT_EQ(storm.failures, 0u);
    EXPECT_EQ(storm.taken, storm.interrupts_wanted);
    EXPECT_EQ(storm.unnoted, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    All, HostedStorms, testing::Values(std::pair{1u, u64{300}}, std::pair{7u, u64{40}}));

} // namespace
