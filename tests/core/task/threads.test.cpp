// Threads in a kernel: they begin, wait, are preempted, move and end.
#include "core/task/task.hpp"

#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using task::Thread;
using task::ThreadAttributes;
using task::Threads;

namespace {

Threads& threads() {
    Threads* const found = boot::current_kernel().threads;
    CHECK(found != nullptr);
    return *found;
}

/// Calls a function object in a thread of its own, which it must outlive.
template<class Function>
Thread& spawn(Function const& function, ThreadAttributes const& attributes = {}) {
    auto const entry = [](void* argument) { (*static_cast<Function const*>(argument))(); };
    auto const made =
        threads().spawn(attributes, entry, const_cast<void*>(static_cast<void const*>(&function)));
    CHECK(made.has_value());
    return *made.value();
}

ThreadAttributes named(std::string_view name) {
    ThreadAttributes attributes;
    attributes.name = name;
    return attributes;
}

} // namespace

TEST(Threads, WhoCallsIsOne) {
    EXPECT_EQ(&Threads::current().process(), &threads().kernel_process());
    EXPECT_EQ(Threads::current().state(), sched::TaskState::running);
    EXPECT_EQ(Threads::here(), &threads());
}

TEST(Threads, OneRunsAndIsJoinedWithItsStatus) {
    u64 seen = 0;
    auto const body = [&] {
        seen = Threads::current().id();
        threads().exit(4711);
    };
    Thread& thread = spawn(body, named("worker"));
    u64 const id = thread.id();
    auto const status = threads().join(thread);
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status.value(), 4711u);
    EXPECT_EQ(seen, id);
}

TEST(Threads, WhoIsUnparkedBeforeItParksDoesNotSleep) {
    threads().unpark(Threads::current());
    threads().park();
    EXPECT_EQ(Threads::current().state(), sched::TaskState::running);
}

TEST(Threads, TwoPassABallTenThousandTimes) {
    constexpr u32 rounds = 10'000;
    struct Game {
        Atomic<u32> ball{0};
        Thread* first = nullptr;
        Thread* second = nullptr;
    } game;
    game.first = &Threads::current();
    auto const body = [&] {
        for (u32 round = 0; round < rounds; ++round) {
            while (game.ball.load(acquire) != 2 * round + 1) {
                threads().park();
            }
            game.ball.store(2 * round + 2, release);
            threads().unpark(*game.first);
        }
    };
    game.second = &spawn(body);
    for (u32 round = 0; round < rounds; ++round) {
        game.ball.store(2 * round + 1, release);
        threads().unpark(*game.second);
        while (game.ball.load(acquire) != 2 * round + 2) {
            threads().park();
        }
    }
    ASSERT_TRUE(threads().join(*game.second).has_value());
    EXPECT_EQ(game.ball.load(relaxed), 2 * rounds);
}

TEST(Threads, ASleepEndsNotBeforeItsTime) {
    Nanos const began = hal::Clock::now();
    threads().sleep_for(Nanos{3'000'000});
    EXPECT_GE((hal::Clock::now() - began).value, 3'000'000);
    EXPECT_FALSE(threads().park_until(hal::Clock::now() + Nanos{1'000'000}));
    threads().unpark(Threads::current());
    EXPECT_TRUE(threads().park_until(hal::Clock::now() + Nanos{60'000'000'000}));
}

TEST(Threads, WhoComputesWithoutEndIsPreempted) {
    Atomic<u32> is_over{0};
    auto const body = [&] {
        while (is_over.load(relaxed) == 0) {
            hal::Cpu::pause(); // under ThreadSanitizer interrupts come in spins alone
        }
    };
    auto attributes = named("hog");
    attributes.allowed = sched::CpuMask::only(hal::Cpu::id());
    Thread& hog = spawn(body, attributes);
    ASSERT_TRUE(
        threads().set_allowed(Threads::current(), sched::CpuMask::only(hog.cpu())).has_value());
    Nanos const began = hal::Clock::now();
    while (threads().counts(hog).switches < 3 &&
           hal::Clock::now() - began < Nanos{60'000'000'000}) {
        hal::Cpu::pause();
    }
    EXPECT_GE(threads().counts(hog).switches, 3u);
    is_over.store(1, relaxed);
    EXPECT_TRUE(threads().join(hog).has_value());
    EXPECT_TRUE(threads().set_allowed(Threads::current(), sched::CpuMask::all()).has_value());
}

/// The next command comes over the console, and is read on another processor than the first.
TEST(Threads, WhoReadsTheConsoleMayDoSoOnAnyProcessor) {
    CpuId last;
    threads().dispatcher().known().for_each([&](CpuId cpu) {
        last = cpu;
        return true;
    });
    Thread& self = Threads::current();
    ASSERT_TRUE(threads().set_allowed(self, sched::CpuMask::only(last)).has_value());
    EXPECT_EQ(hal::Cpu::id(), last);
    EXPECT_TRUE(threads().set_allowed(self, sched::CpuMask::all()).has_value());
}

TEST(Threads, AHigherPriorityRunsAtOnce) {
    constexpr u32 rounds = 100;
    Atomic<u32> runs{0};
    auto const body = [&] {
        for (u32 i = 0; i < rounds; ++i) {
            threads().park();
            runs.store(runs.load(relaxed) + 1, relaxed);
        }
    };
    auto attributes = named("urgent");
    attributes.parameters = task::Parameters::of<sched::Fifo>({.priority = 40});
    attributes.allowed = sched::CpuMask::only(hal::Cpu::id());
    Thread& urgent = spawn(body, attributes);
    ASSERT_TRUE(threads().set_allowed(Threads::current(), attributes.allowed).has_value());
    for (u32 i = 1; i <= rounds; ++i) {
        threads().unpark(urgent);
        ASSERT_EQ(runs.load(relaxed), i);
    }
    EXPECT_TRUE(threads().join(urgent).has_value());
    EXPECT_TRUE(threads().set_allowed(Threads::current(), sched::CpuMask::all()).has_value());
}

TEST(Threads, ManyComeAndGoAndNothingStays) {
    u64 const before = threads().count();
    Atomic<u32> runs{0};
    auto const body = [&] {
        for (u32 i = 0; i < 5; ++i) {
            threads().yield();
        }
        runs.fetch_add(1, relaxed);
    };
    constexpr u32 many = 50;
    for (u32 round = 0; round < 10; ++round) {
        Thread* made[many];
        for (Thread*& thread : made) {
            thread = &spawn(body);
        }
        for (Thread* const thread : made) {
            ASSERT_TRUE(threads().join(*thread).has_value());
        }
    }
    EXPECT_EQ(runs.load(relaxed), 10 * many);
    EXPECT_EQ(threads().count(), before);
}

TEST(Threads, AStackOfTheUsualSizeIsUsedAgain) {
    u64 place = 0;
    auto const body = [&] {
        u8 const local = 0;
        place = std::bit_cast<u64>(&local);
    };
    auto const place_with = [&](Bytes stack) {
        ThreadAttributes attributes;
        attributes.stack = stack;
        threads().join(spawn(body, attributes)).value();
        return place;
    };
    u64 const first = place_with(ThreadAttributes::stack_default);
    u64 const small = place_with(ThreadAttributes::stack_min);
    EXPECT_NE(small, first);
    EXPECT_EQ(place_with(ThreadAttributes::stack_default), first);
}

TEST(Threads, OneThatIsDetachedCannotBeJoined) {
    Atomic<u32> may_end{0};
    auto const body = [&] {
        while (may_end.load(acquire) == 0) {
            threads().yield();
        }
    };
    Thread& thread = spawn(body);
    ASSERT_TRUE(threads().detach(thread).has_value());
    EXPECT_EQ(threads().join(thread).error(), Error::invalid_state);
    EXPECT_EQ(threads().detach(thread).error(), Error::invalid_state);
    EXPECT_EQ(threads().join(Threads::current()).error(), Error::invalid_state);
    u64 const before = threads().count();
    may_end.store(1, release);
    while (threads().count() == before) {
        threads().yield();
    }
    EXPECT_EQ(threads().count(), before - 1);
    threads().reap(); // its memory comes back
}

TEST(Threads, WhoHasExitedIsNeitherWokenNorChanged) {
    Thread& thread = spawn([] {});
    while (thread.state() != sched::TaskState::absent) {
        threads().yield();
    }
    threads().unpark(thread);
    EXPECT_EQ(threads().change(thread, task::default_parameters()).error(), Error::invalid_state);
    EXPECT_EQ(threads().set_allowed(thread, sched::CpuMask::all()).error(), Error::invalid_state);
    EXPECT_TRUE(threads().join(thread).has_value());
}

TEST(Threads, OneThatIsAskedToEndIsWokenForThat) {
    auto const body = [] {
        while (!Threads::current().is_to_end()) {
            threads().park();
        }
        threads().exit(5);
    };
    Thread& thread = spawn(body);
    while (thread.state() != sched::TaskState::asleep) {
        threads().yield();
    }
    threads().ask_to_end(thread);
    EXPECT_EQ(threads().join(thread).value(), 5u);
}

TEST(Threads, WhatCannotBeIsRefused) {
    auto const entry = [](void*) {};
    auto refusal = [&](ThreadAttributes const& attributes) {
        return threads().spawn(attributes, entry, nullptr).error();
    };
    u64 const before = threads().count();
    ThreadAttributes attributes;
    attributes.stack = Bytes{4096};
    EXPECT_EQ(refusal(attributes), Error::out_of_range);
    attributes = {};
    attributes.name = "a name that is longer than a name can be";
    EXPECT_EQ(refusal(attributes), Error::out_of_range);
    attributes = {};
    attributes.parameters = task::Parameters::of<sched::Eevdf>({.weight = 0});
    EXPECT_EQ(refusal(attributes), Error::out_of_range);
    attributes = {};
    attributes.parameters =
        task::Parameters::of<sched::Edf>({.runtime = Nanos{2'000'000}, .period = Nanos{1'000'000}});
    EXPECT_EQ(refusal(attributes), Error::invalid_argument);
    attributes.parameters =
        task::Parameters::of<sched::Edf>({.runtime = Nanos{1'000'000}, .period = Nanos{1'000'000}});
    EXPECT_EQ(refusal(attributes), Error::no_space); // admission control
    attributes = {};
    attributes.allowed = sched::CpuMask::only({200});
    EXPECT_EQ(refusal(attributes), Error::invalid_argument);
    attributes = {};
    attributes.limit = {.quota = Nanos{2'000'000}, .period = Nanos{1'000'000}};
    EXPECT_EQ(refusal(attributes), Error::out_of_range);
    EXPECT_EQ(threads().count(), before);
}

TEST(Threads, AFaultIsCaughtByTheThreadThatMadeIt) {
    Atomic<u32> caught{0};
    auto const body = [&] {
        for (u32 i = 0; i < 20; ++i) {
            auto const fault = boot::catch_fault([&] {
                threads().yield();          // others fault meanwhile
                u64 volatile unmapped = 16; // not null, which the sanitizer would report
                std::byte const volatile* const place = hal::kernel_pointer({unmapped});
                static_cast<void>(*place);
            });
            caught.fetch_add(fault.has_value() ? 1 : 0, relaxed);
        }
    };
    Thread* made[4];
    for (Thread*& thread : made) {
        thread = &spawn(body);
    }
    for (Thread* const thread : made) {
        ASSERT_TRUE(threads().join(*thread).has_value());
    }
    EXPECT_EQ(caught.load(relaxed), 80u);
}

TEST(Threads, AProcessLivesAsLongAsItsThreads) {
    task::Process process(7, task::Process::Name::create("seven").value(), nullptr);
    EXPECT_EQ(process.state(), task::ProcessState::embryo);
    Atomic<u32> may_end{0};
    auto const body = [&] {
        while (may_end.load(acquire) == 0) {
            threads().yield();
        }
    };
    ThreadAttributes attributes;
    attributes.process = &process;
    Thread& first = spawn(body, attributes);
    Thread& second = spawn(body, attributes);
    EXPECT_EQ(process.state(), task::ProcessState::running);
    EXPECT_EQ(process.threads(), 2u);
    process.end();
    EXPECT_EQ(process.state(), task::ProcessState::ending);
    auto const entry = [](void*) {};
    EXPECT_EQ(threads().spawn(attributes, entry, nullptr).error(), Error::invalid_state);
    may_end.store(1, release);
    EXPECT_TRUE(threads().join(first).has_value());
    EXPECT_TRUE(threads().join(second).has_value());
    EXPECT_EQ(process.state(), task::ProcessState::dead);
}

TEST(Threads, TimeIsAccountedTo) {
    Nanos const ran_before = threads().counts(Threads::current()).ran;
    Nanos const began = hal::Clock::now();
    while (hal::Clock::now() - began < Nanos{2'000'000}) {
    }
    threads().yield();
    EXPECT_GE((threads().counts(Threads::current()).ran - ran_before).value, 1'000'000);
}
