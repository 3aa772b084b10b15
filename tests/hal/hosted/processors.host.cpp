// Several processors of the hosted machine: starting them, and the end of all of them together,
// from wherever they are.
#include "hal/processors.hpp"

#include "hal/clock.hpp"
#include "hal/console.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"
#include "hal/memory.hpp"
#include "hal/power.hpp"
#include "tests/hal/hosted/many.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/time.h>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;
using hal::Controller;
using hal::Interrupt;
using hal::InterruptState;

TEST(HostedProcessors, AllAreStartedOnceAndNoneIsLeftBehind) {
    std::ptrdiff_t const before = thread_count();
    for (u32 const cpus : {1u, 2u, 8u, cpus_max}) {
        Many many;
        many.body = [](Probe& self, hal::BootInfo const& info) {
            static_cast<Many&>(self).start_all(info);
        };
        many.on_processor = [](Probe& self) { static_cast<Many&>(self).arrive(); };
        Stop const stop = run_to_end(many, config_of(cpus));
        EXPECT_EQ(stop.kind, Stop::Kind::exited);
        EXPECT_EQ(many.online, cpus - 1);
        EXPECT_EQ(many.failures, 0u);
        for (u32 id = 1; id < cpus; ++id) {
            EXPECT_EQ(many.seen_by_id[id], 1u) << id;
        }
        EXPECT_EQ(thread_count(), before);
    }
}

TEST(HostedProcessors, AreRefusedWhereTheyCannotStart) {
    struct Seen : Many {
        Result<void> dead, unknown, twice, itself, before;
        hal::CoreClass classes[3] = {};
        i64 waited_ns = 0;
    };
    Seen seen;
    seen.body = [](Probe& self, hal::BootInfo const& info) {
        auto& out = static_cast<Seen&>(self);
        out.before = out.start_processor(1, info);
        out.open_interrupts();
        out.classes[0] = hal::Processors::core_class();
        i64 const before_ns = hal::Clock::now().value;
        out.dead = out.start_processor(2, info);
        out.waited_ns = hal::Clock::now().value - before_ns;
        out.unknown = out.start_processor(cpus_max, info);
        out.itself = out.start_processor(0, info);
        out.failures += out.start_processor(1, info) ? 0 : 1;
        out.twice = out.start_processor(1, info);
        while (load(out.online) == 0) {
            hal::Cpu::pause();
        }
    };
    seen.on_processor = [](Probe& self) {
        static_cast<Seen&>(self).classes[1] = hal::Processors::core_class();
        static_cast<Seen&>(self).arrive();
    };
    MachineConfig config = config_of(3);
    config.dead_processors = {2};
    config.core_classes = {hal::CoreClass::performance, hal::CoreClass::efficiency};
    ASSERT_EQ(run_to_end(seen, config).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.before.error(), Error::invalid_state);
    EXPECT_EQ(seen.dead.error(), Error::timed_out);
    EXPECT_GE(seen.waited_ns, 1'000'000'000);
    EXPECT_EQ(seen.unknown.error(), Error::out_of_range);
    EXPECT_EQ(seen.itself.error(), Error::already_exists);
    EXPECT_EQ(seen.twice.error(), Error::already_exists);
    EXPECT_EQ(seen.failures, 0u);
    EXPECT_EQ(seen.classes[0], hal::CoreClass::performance);
    EXPECT_EQ(seen.classes[1], hal::CoreClass::efficiency);
}

/// What the processors do when one of them ends the run.
enum class Pastime : u8 { computing, idle, printing, faulting, switching_off_interrupts };

struct Ending : Many {
    u32 who = 0;
    Pastime pastime{};
    void (*end)(u32 id) = nullptr;

    void pass_time() {
        while (true) {
            if (hal::Cpu::id().value == who && load(online) + 1 == hal::Cpu::count()) {
                end(who);
            }
            if (hal::Cpu::id().value == who) {
                hal::Cpu::pause();
                continue;
            }
            switch (pastime) {
            case Pastime::computing: {
                u64 volatile sum = 0;
                for (u64 i = 0; i < 1000; ++i) {
                    sum = sum + i;
                }
                break;
            }
            case Pastime::idle: {
                InterruptState const before = Interrupt::disable();
                hal::Cpu::idle();
                Interrupt::restore(before);
                break;
            }
            case Pastime::printing:
                hal::Console::write("x");
                break;
            case Pastime::faulting:
                hal::Mmu::flush({reinterpret_cast<u64>(hal::Memory::linear({0}))}, page_size);
                *hal::Memory::linear({0x8000 + hal::Cpu::id().value * 64}) = std::byte{1};
                break;
            case Pastime::switching_off_interrupts: {
                InterruptState const before = Interrupt::disable();
                hal::Cpu::pause();
                Interrupt::restore(before);
                break;
            }
            }
        }
    }
};

Stop end_on(u32 who, Pastime pastime, void (*end)(u32 id), u32 cpus = 8) {
    Ending ending;
    ending.who = who;
    ending.pastime = pastime;
    ending.end = end;
    ending.body = [](Probe& self, hal::BootInfo const& info) {
        auto& it = static_cast<Ending&>(self);
        it.start_all(info);
        it.pass_time();
    };
    ending.on_processor = [](Probe& self) {
        auto& it = static_cast<Ending&>(self);
        it.arrive();
        it.pass_time();
    };
    return run_to_end(ending, config_of(cpus));
}

class HostedProcessorsEnd : public testing::TestWithParam<Pastime> {};

TEST_P(HostedProcessorsEnd, TogetherWhicheverPowersOff) {
    std::ptrdiff_t const before = thread_count();
    for (u32 who = 0; who < 8; ++who) {
        Stop const stop =
            end_on(who, GetParam(), [](u32 id) { hal::Power::exit(static_cast<u8>(id + 1)); });
        EXPECT_EQ(stop.kind, Stop::Kind::exited);
        EXPECT_EQ(stop.status, who + 1);
        EXPECT_EQ(thread_count(), before);
    }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    HostedProcessorsEnd,
    testing::Values(
        Pastime::computing,
        Pastime::idle,
        Pastime::printing,
        Pastime::faulting,
        Pastime::switching_off_interrupts));

TEST(HostedProcessors, ResetAndCrashOfOneEndAll) {
    std::ptrdiff_t const before = thread_count();
    for (u32 const who : {0u, 3u}) {
        EXPECT_EQ(
            end_on(
                who, Pastime::computing, [](u32) { hal::Power::reset(); }, 4)
                .kind,
            Stop::Kind::reset);
        // A third fault in a row: there is no stack left to tell the kernel on.
        auto const crash = [](u32) { asm volatile("movq $8, %%rsp\n\tpushq $0" ::: "memory"); };
        Stop const stop = end_on(who, Pastime::computing, crash, 4);
        EXPECT_EQ(stop.kind, Stop::Kind::exited) << "the probe powers off on a double fault";
        EXPECT_EQ(stop.status, 70);
        EXPECT_EQ(thread_count(), before);
    }
}

/// Where a non-maskable interrupt meets a processor.
enum class Place : u8 { computing, asleep, asking_the_machine };

struct Unmaskable : Many {
    Place place{};
    u64 taken = 0, with_interrupts = 0;
};

class HostedNonMaskable : public testing::TestWithParam<Place> {};

TEST_P(HostedNonMaskable, ReachesAProcessorWithInterruptsOff) {
    Unmaskable it;
    it.place = GetParam();
    it.body = [](Probe& self, hal::BootInfo const& info) {
        auto& out = static_cast<Unmaskable&>(self);
        out.start_all(info);
        for (u64 round = 1; round <= 50; ++round) {
            out.failures += Controller::send_non_maskable({1}) ? 0 : 1;
            while (load(out.taken) < round) {
                hal::Cpu::pause();
            }
        }
    };
    it.on_fault = [](Probe& self, hal::Fault const& fault) {
        auto& out = static_cast<Unmaskable&>(self);
        if (fault.kind != hal::FaultKind::non_maskable || hal::Cpu::id() != CpuId{1}) {
            hal::Power::exit(1);
        }
        out.with_interrupts += fault.interrupts == InterruptState::enabled ? 1 : 0;
        add(out.taken);
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    it.on_processor = [](Probe& self) {
        auto& out = static_cast<Unmaskable&>(self);
        add(out.online); // interrupts stay off
        u64 volatile sum = 0;
        while (true) {
            switch (out.place) {
            case Place::computing:
                sum = sum + 1;
                break;
            case Place::asleep:
                hal::Cpu::idle();
                break;
            case Place::asking_the_machine:
                static_cast<void>(hal::Clock::wall());
                break;
            }
        }
    };
    Stop const stop = run_to_end(it, config_of(2));
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
    EXPECT_EQ(it.taken, 50u);
    EXPECT_EQ(it.failures + it.with_interrupts, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    HostedNonMaskable,
    testing::Values(Place::computing, Place::asleep, Place::asking_the_machine));

TEST(HostedProcessors, AllHaltedIsAnEnd) {
    Many many;
    many.body = [](Probe& self, hal::BootInfo const& info) {
        static_cast<Many&>(self).start_all(info);
        hal::Processors::halt();
    };
    many.on_processor = [](Probe& self) { static_cast<Many&>(self).arrive(); };
    MemoryConsole console;
    auto const machine = make_machine(many, console, config_of(3));
    EXPECT_EQ(run_to_end(*machine).kind, Stop::Kind::crashed);
    EXPECT_NE(machine->crash_report().find("every processor has halted"), std::string_view::npos);
}

struct ThrowingConsole final : ConsoleEndpoint {
    void write(std::string_view) override { throw std::runtime_error("nobody listens"); }
    hal::ConsoleInput read() override { return {hal::InputStatus::none, '\0'}; }
    void write_result(std::span<std::byte const>) override {}
};

TEST(HostedProcessors, WhatTheConsoleThrowsOnAnyOfThemReachesTheCaller) {
    std::ptrdiff_t const before = thread_count();
    for (u32 const who : {0u, 2u}) {
        Ending ending;
        ending.who = who;
        ending.end = [](u32) { hal::Console::write("hello"); };
        ending.body = [](Probe& self, hal::BootInfo const& info) {
            static_cast<Ending&>(self).start_all(info);
            static_cast<Ending&>(self).pass_time();
        };
        ending.on_processor = [](Probe& self) {
            static_cast<Ending&>(self).arrive();
            static_cast<Ending&>(self).pass_time();
        };
        ThrowingConsole console;
        MachineConfig config = config_of(4);
        config.command_line = std::to_string(reinterpret_cast<u64>(static_cast<Probe*>(&ending)));
        auto const machine = Machine::create(config, console);
        ASSERT_TRUE(machine.has_value());
        EXPECT_THROW(run_to_end(**machine), std::runtime_error);
        EXPECT_EQ(thread_count(), before);
    }
}

TEST(HostedProcessors, AMachineThatGoesTakesItsThreadsAlong) {
    std::ptrdiff_t const before = thread_count();
    Many many;
    many.body = [](Probe& self, hal::BootInfo const& info) {
        static_cast<Many&>(self).start_all(info);
        static_cast<void>(Interrupt::disable());
        while (true) {
            hal::Cpu::idle();
        }
    };
    many.on_processor = [](Probe& self) {
        static_cast<Many&>(self).arrive();
        while (true) {
            hal::Cpu::pause();
        }
    };
    {
        MemoryConsole console;
        auto const machine = make_machine(many, console, config_of(4));
        ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
        EXPECT_EQ(thread_count(), before + 3);
        EXPECT_FALSE(machine->snapshot().has_value());
        EXPECT_TRUE(machine->can_wake());
        machine->reset();
        EXPECT_EQ(thread_count(), before);
        many.online = 0;
        ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
        EXPECT_EQ(thread_count(), before + 3);
    }
    EXPECT_EQ(thread_count(), before);
}

TEST(HostedProcessors, IdleOnesUseNoProcessorTime) {
    struct Seen : Many {
        u64 woken = 0;
    };
    Seen seen;
    seen.body = [](Probe& self, hal::BootInfo const& info) {
        auto& it = static_cast<Seen&>(self);
        it.start_all(info);
        static_cast<void>(Interrupt::disable());
        hal::Clock::arm({hal::Clock::now().value + 300'000'000});
        while (it.interrupts == 0) {
            hal::Cpu::idle();
        }
        for (u32 id = 1; id < hal::Cpu::count(); ++id) {
            Controller::send({id}, {100});
        }
        while (load(it.woken) + 1 < hal::Cpu::count()) {
            hal::Cpu::pause();
        }
    };
    seen.on_interrupt = [](Probe& self, hal::Interruption const& interruption) {
        auto& it = static_cast<Seen&>(self);
        it.interrupts += hal::Cpu::id() == CpuId{0} ? 1 : 0;
        add(it.woken, hal::Cpu::id() == CpuId{0} ? 0 : 1);
        Controller::acknowledge(interruption.vector);
    };
    seen.on_processor = [](Probe& self) {
        static_cast<Seen&>(self).arrive();
        static_cast<void>(Interrupt::disable());
        while (true) {
            hal::Cpu::idle();
        }
    };
    rusage before{};
    rusage after{};
    getrusage(RUSAGE_SELF, &before);
    ASSERT_EQ(run_to_end(seen, config_of(8)).kind, Stop::Kind::exited);
    getrusage(RUSAGE_SELF, &after);
    auto const used_us = [](rusage const& usage) {
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
               usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    };
    EXPECT_LT(used_us(after) - used_us(before), 150'000) << "8 processors slept for 300 ms";
    EXPECT_EQ(seen.woken, 7u);
}

Machine* stopped_machine = nullptr;
Ending const* stopped_ending = nullptr;

/// The timer goes off again and again: the first time that all processors run counts.
void ask_to_stop(int, siginfo_t* info, void* context) {
    if (load(stopped_ending->online) + 1 < 4) {
        return;
    }
    stopped_machine->request_stop(*info, *static_cast<ucontext_t*>(context));
}

TEST(HostedProcessors, ASignalStopsThemAllAndTellsWhereEachStood) {
    std::ptrdiff_t const before = thread_count();
    Ending ending;
    ending.who = cpus_max; // nobody
    ending.body = [](Probe& self, hal::BootInfo const& info) {
        static_cast<Ending&>(self).start_all(info);
        static_cast<Ending&>(self).pass_time();
    };
    ending.on_processor = [](Probe& self) {
        static_cast<Ending&>(self).arrive();
        static_cast<Ending&>(self).pass_time();
    };
    MemoryConsole console;
    auto const machine = make_machine(ending, console, config_of(4));
    stopped_machine = machine.get();
    stopped_ending = &ending;
    struct sigaction action{};
    action.sa_sigaction = ask_to_stop;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    struct sigaction action_before{};
    sigaction(SIGALRM, &action, &action_before);
    itimerval const timer{{0, 20'000}, {0, 50'000}};
    setitimer(ITIMER_REAL, &timer, nullptr);
    EXPECT_EQ(run_to_end(*machine).kind, Stop::Kind::interrupted);
    itimerval const never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &action_before, nullptr);
    std::string const report(machine->crash_report());
    for (char const* const name : {"processor 0: ", "processor 1: ", "processor 3: "}) {
        EXPECT_NE(report.find(name), std::string::npos) << report;
    }
    EXPECT_EQ(thread_count(), before);
}

} // namespace
