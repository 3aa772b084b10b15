// Interrupts and time on one processor of the hosted machine: what is raised arrives once, in the
// order of its priority, at the next safe point or inside of a computation that has none.
#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"
#include "hal/power.hpp"
#include "tests/hal/hosted/probe.hpp"
#include "tests/hal/hosted/register_loop.hpp"

#include <gtest/gtest.h>

#include <isa/cpuid.hpp>
#include <optional>
#include <random>
#include <set>
#include <vector>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;
using hal::Controller;
using hal::Interrupt;
using hal::InterruptState;

constexpr CpuId self{0};

/// What arrived, in order.
struct Arrivals : Probe {
    static constexpr usize arrivals_max = 64;
    u8 vectors[arrivals_max] = {};
    usize count = 0;
    bool was_enabled = false;
    bool sound[16] = {};
};

void note_arrival(Probe& probe, hal::Interruption const& interruption) {
    auto& out = static_cast<Arrivals&>(probe);
    out.was_enabled = out.was_enabled || Interrupt::state() == InterruptState::enabled;
    if (out.count < Arrivals::arrivals_max) {
        out.vectors[out.count++] = interruption.vector.value;
    }
    Controller::acknowledge(interruption.vector);
}

TEST(HostedInterrupt, RaisedOnTheSameProcessorArrivesAtOnce) {
    Arrivals seen;
    seen.on_interrupt = note_arrival;
    seen.body = [](Probe& probe, hal::BootInfo const&) {
        auto& out = static_cast<Arrivals&>(probe);
        out.open_interrupts();
        Controller::send(self, {100});
        out.sound[0] = out.count == 1 && out.vectors[0] == 100;
        InterruptState const before = Interrupt::disable();
        Controller::send(self, {101});
        Controller::send(self, {101}); // one of a vector is pending at most
        out.sound[1] = out.count == 1 && Controller::is_pending({101});
        Interrupt::restore(before);
        out.sound[2] = out.count == 2 && out.vectors[1] == 101 && !Controller::is_pending({101});
        Interrupt::poll();
        out.sound[3] = out.count == 2 && Interrupt::state() == InterruptState::enabled;
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    for (usize i = 0; i < 4; ++i) {
        EXPECT_TRUE(seen.sound[i]) << i;
    }
    EXPECT_FALSE(seen.was_enabled) << "an interrupt arrives with interrupts disabled";
}

TEST(HostedInterrupt, PendingOnesArriveByTheirPriority) {
    Arrivals seen;
    seen.on_interrupt = note_arrival;
    seen.body = [](Probe& probe, hal::BootInfo const&) {
        auto& out = static_cast<Arrivals&>(probe);
        out.open_interrupts();
        InterruptState const before = Interrupt::disable();
        hal::Clock::arm({0}); // past
        for (u8 const vector : {u8{60}, u8{200}, u8{61}, u8{239}, u8{130}, u8{49}}) {
            Controller::send(self, {vector});
        }
        Interrupt::restore(before);
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    u8 const expected[] = {239, 200, 130, 61, 60, 49, 48};
    ASSERT_EQ(seen.count, std::size(expected));
    EXPECT_TRUE(std::equal(std::begin(expected), std::end(expected), seen.vectors));
}

/// The rules of a local APIC, vector by vector.
struct PlainWords {
    std::set<u8> raised;
    std::vector<u8> served; ///< the last one is the highest

    std::optional<u8> next() const {
        if (raised.empty() || (!served.empty() && *raised.rbegin() / 16 <= served.back() / 16)) {
            return std::nullopt;
        }
        return *raised.rbegin();
    }
};

TEST(InterruptWords, AgreeWithTheRulesWhoeverRaises) {
    InterruptWords words;
    PlainWords plain;
    std::mt19937 random(4);
    u64 taken = 0;
    u64 held_back = 0;
    for (u32 step = 0; step < 200'000; ++step) {
        hal::Vector const vector{static_cast<u8>(random() % 256)};
        switch (random() % 5) {
        case 0:
            words.raised.set(vector); // by others
            plain.raised.insert(vector.value);
            break;
        case 1:
            words.raised_here.set_own(vector);
            plain.raised.insert(vector.value);
            break;
        case 2: {
            if (plain.served.empty()) {
                break;
            }
            hal::Vector const last{plain.served.back()};
            ASSERT_TRUE(words.is_last_served(last));
            words.in_service.take_own(last);
            plain.served.pop_back();
            break;
        }
        default: {
            auto const wanted = words.next();
            ASSERT_EQ(wanted.has_value(), plain.next().has_value()) << step;
            if (!wanted) {
                held_back += plain.raised.empty() ? 0 : 1;
                break;
            }
            ASSERT_EQ(wanted->value, *plain.next()) << step;
            words.in_service.set_own(*wanted);
            words.take(*wanted);
            plain.served.push_back(wanted->value);
            plain.raised.erase(wanted->value);
            ++taken;
        }
        }
        ASSERT_EQ(words.is_pending(vector), plain.raised.contains(vector.value));
        ASSERT_EQ(words.any(), !plain.raised.empty());
        ASSERT_EQ(
            words.is_last_served(vector),
            !plain.served.empty() && plain.served.back() == vector.value);
    }
    EXPECT_GT(taken, 10'000u);
    EXPECT_GT(held_back, 10'000u);
}

/// A handler that lets interrupts through before it acknowledges: only a higher class may nest.
void nest(Probe& probe, hal::Interruption const& interruption) {
    auto& out = static_cast<Arrivals&>(probe);
    out.vectors[out.count++] = interruption.vector.value;
    if (interruption.vector.value == 0x60) {
        Interrupt::restore(InterruptState::enabled);
        Controller::send(self, {0x50});
        Controller::send(self, {0x61});
        Controller::send(self, {0x70});
        static_cast<void>(Interrupt::disable());
        out.vectors[out.count++] = 0;
    }
    Controller::acknowledge(interruption.vector);
}

TEST(HostedInterrupt, OnlyAHigherClassInterruptsAHandler) {
    Arrivals seen;
    seen.on_interrupt = nest;
    seen.body = [](Probe& probe, hal::BootInfo const&) {
        probe.open_interrupts();
        Controller::send(self, {0x60});
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    u8 const expected[] = {0x60, 0x70, 0, 0x61, 0x50};
    ASSERT_EQ(seen.count, std::size(expected));
    EXPECT_TRUE(std::equal(std::begin(expected), std::end(expected), seen.vectors));
}

TEST(HostedInterrupt, DeadlinesFireOnceAndNotBeforeTheirTime) {
    struct Seen : Arrivals {
        u64 early = 0, fired = 0;
        i64 deadline_ns = 0;
    };
    Seen seen;
    seen.on_interrupt = [](Probe& probe, hal::Interruption const& interruption) {
        auto& out = static_cast<Seen&>(probe);
        out.early += hal::Clock::now().value < out.deadline_ns ? 1 : 0;
        ++out.fired;
        Controller::acknowledge(interruption.vector);
    };
    seen.body = [](Probe& probe, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(probe);
        out.open_interrupts();
        for (u64 round = 1; round <= 200; ++round) {
            InterruptState const before = Interrupt::disable();
            out.deadline_ns = hal::Clock::now().value + static_cast<i64>(round * 1000);
            hal::Clock::arm({out.deadline_ns + 1'000'000'000}); // replaced by an earlier one
            hal::Clock::arm({out.deadline_ns});
            Interrupt::restore(before);
            u64 volatile spins = 0;
            while (__atomic_load_n(&out.fired, __ATOMIC_RELAXED) < round) {
                spins = spins + 1; // no safe point
            }
        }
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.fired, 200u);
    EXPECT_EQ(seen.early, 0u);
}

/// One deadline after the other, while a computation without a safe point runs.
struct Alarms : Probe {
    static constexpr u64 wanted = 20'000;
    u64 fired = 0, wrong_registers = 0;
    alignas(64) u8 pattern[512] = {};

    void arm() { hal::Clock::arm({hal::Clock::now().value + 3'000}); }
};

TEST(HostedInterrupt, AComputationKeepsItsRegisters) {
    if (!isa::has(isa::decode(isa::read_cpuid()), isa::Feature::avx2)) {
        GTEST_SKIP() << "the host has no AVX2";
    }
    Alarms alarms;
    for (usize i = 0; i < sizeof(alarms.pattern); ++i) {
        alarms.pattern[i] = static_cast<u8>(i * 7 + 1);
    }
    alarms.on_interrupt = [](Probe& probe, hal::Interruption const& interruption) {
        auto& it = static_cast<Alarms&>(probe);
        if (++it.fired < Alarms::wanted) { // no more: on a busy host they leave the loop no time
            it.arm();
        }
        Controller::acknowledge(interruption.vector);
    };
    alarms.body = [](Probe& probe, hal::BootInfo const&) {
        auto& it = static_cast<Alarms&>(probe);
        it.open_interrupts();
        InterruptState const before = Interrupt::disable();
        it.arm();
        Interrupt::restore(before);
        while (__atomic_load_n(&it.fired, __ATOMIC_RELAXED) < Alarms::wanted) {
            it.wrong_registers +=
                register_loop(20'000, it.pattern, it.pattern); // no safe point in there
        }
    };
    ASSERT_EQ(run_probe(alarms).kind, Stop::Kind::exited);
    EXPECT_GE(alarms.fired, Alarms::wanted);
    EXPECT_EQ(alarms.wrong_registers, 0u);
}

/// Another processor raises and then tells: whoever it finds about to rest gets no signal.
TEST(HostedInterrupt, IdleTakesWhatWasRaisedAsItBeganToRest) {
    Arrivals seen;
    seen.on_interrupt = note_arrival;
    seen.body = [](Probe& probe, hal::BootInfo const&) {
        auto& out = static_cast<Arrivals&>(probe);
        out.open_interrupts();
        static_cast<void>(Interrupt::disable());
        guest_cpu().interrupts.raised.set({100});
        hal::Cpu::idle();
        out.sound[0] = out.count == 1 && out.vectors[0] == 100;
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.sound[0]);
}

TEST(HostedInterrupt, IdleWaitsForADeadline) {
    Arrivals seen;
    seen.on_interrupt = note_arrival;
    seen.body = [](Probe& probe, hal::BootInfo const&) {
        auto& out = static_cast<Arrivals&>(probe);
        out.open_interrupts();
        static_cast<void>(Interrupt::disable());
        hal::Clock::arm({hal::Clock::now().value + 20'000'000});
        while (out.count == 0) {
            hal::Cpu::idle();
        }
        out.sound[0] = Interrupt::state() == InterruptState::disabled;
    };
    MemoryConsole console;
    auto const machine = make_machine(seen, console);
    Stop stop = machine->run();
    while (stop.kind == Stop::Kind::waiting_for_input) {
        machine->wait(-1);
        stop = machine->run();
    }
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(seen.count, 1u);
    EXPECT_TRUE(seen.sound[0]);
}

} // namespace
