// Calls between processors, as many as run: what they see, when they are refused, and that no two
// wait for each other. With one processor the tests of others have nobody to call.
#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

namespace twofold::processor {
namespace {

using sync::ExecutionContext;

CpuSet& cpus() {
    return boot::current_kernel().cpus;
}

/// Calls visit(CpuId) for every processor that runs.
template<class Visit>
void for_each_running(Visit visit) {
    for (u32 id = 0; id < cpus().known(); ++id) {
        if (cpus().is_online({id})) {
            visit(CpuId{id});
        }
    }
}

/// What a called function saw.
struct Seen {
    Atomic<u64> mask{0}; ///< the processors that it ran on
    Atomic<u32> times{0};
    Atomic<u32> wrong{0}; ///< in another context, or with interrupts on
};

void look(void* argument) {
    auto& seen = *static_cast<Seen*>(argument);
    bool const is_right = sync::current_context() == ExecutionContext::irq &&
                          hal::Interrupt::state() == hal::InterruptState::disabled &&
                          this_cpu().id == hal::Cpu::id();
    seen.wrong.fetch_add(is_right ? 0 : 1, relaxed);
    seen.mask.fetch_or(u64{1} << this_cpu().id.value, relaxed);
    seen.times.fetch_add(1, release);
}

TEST(Calls, OnesOwnProcessorIsCalledDirectly) {
    Seen seen;
    EXPECT_TRUE(cpus().call(this_cpu().id, look, &seen).has_value());
    EXPECT_EQ(seen.times.load(acquire), 1u);
    EXPECT_EQ(seen.wrong.load(relaxed), 0u);
    EXPECT_EQ(sync::current_context(), ExecutionContext::thread);
}

TEST(Calls, WhatDoesNotExistIsRefused) {
    Seen seen;
    CpuId const nobody{cpus().known()};
    EXPECT_EQ(cpus().call(nobody, look, &seen).error(), Error::out_of_range);
    EXPECT_EQ(cpus().post(nobody, look, &seen).error(), Error::out_of_range);
    EXPECT_FALSE(cpus().is_online(nobody));
    EXPECT_EQ(seen.times.load(acquire), 0u);
}

TEST(Calls, EveryProcessorAnswers) {
    for_each_running([](CpuId cpu) {
        Seen seen;
        ASSERT_TRUE(cpus().call(cpu, look, &seen).has_value());
        EXPECT_EQ(seen.mask.load(relaxed), u64{1} << cpu.value);
        EXPECT_EQ(seen.wrong.load(relaxed), 0u);
    });
}

TEST(Calls, OneThatDoesNotRunIsRefusedAtOnce) {
    Seen seen;
    u32 dead = 0;
    for (u32 id = 0; id < cpus().known(); ++id) {
        if (cpus().is_online({id})) {
            continue;
        }
        ++dead;
        sync::Call unused(look, &seen);
        EXPECT_EQ(cpus().call({id}, look, &seen).error(), Error::invalid_state);
        EXPECT_EQ(cpus().post({id}, look, &seen).error(), Error::invalid_state);
        EXPECT_EQ(cpus().delegate({id}, unused).error(), Error::invalid_state);
    }
    EXPECT_EQ(dead + cpus().online(), cpus().known());
    EXPECT_EQ(seen.times.load(acquire), 0u);
}

TEST(Calls, OthersAreCalledOnceEach) {
    for (bool const urgent : {false, true}) {
        Seen seen;
        if (urgent) {
            cpus().call_others_urgently(look, &seen);
        } else {
            cpus().call_others(look, &seen);
        }
        EXPECT_EQ(seen.times.load(acquire), cpus().online() - 1);
        EXPECT_EQ(seen.mask.load(relaxed) & u64{1} << this_cpu().id.value, 0u);
        EXPECT_EQ(seen.wrong.load(relaxed), 0u);
    }
}

TEST(Calls, PostsArriveWithoutBeingWaitedFor) {
    Seen seen;
    u32 posted = 0;
    for (u32 round = 0; round < 200; ++round) {
        CpuId const to{round % cpus().known()};
        if (!cpus().is_online(to)) {
            continue;
        }
        Result<void> outcome = cpus().post(to, look, &seen);
        while (!outcome && outcome.error() == Error::no_space) {
            sync::relax(); // the others have not come to it yet; one's own waits for an interrupt
            outcome = cpus().post(to, look, &seen);
        }
        ASSERT_TRUE(outcome.has_value());
        ++posted;
    }
    while (seen.times.load(acquire) < posted) {
        sync::relax();
    }
    EXPECT_EQ(seen.wrong.load(relaxed), 0u);
}

TEST(Calls, JobsRunInThreads) {
    struct Job {
        static void run(void* self) {
            auto& job = *static_cast<Job*>(self);
            job.context = sync::current_context();
            job.state = hal::Interrupt::state();
            job.on = this_cpu().id;
            processor::sleep_for(Nanos{10'000}).value(); // a thread may wait
        }
        ExecutionContext context = ExecutionContext::irq;
        hal::InterruptState state = hal::InterruptState::disabled;
        CpuId on{};
    };
    sync::Call unused(Job::run, nullptr);
    EXPECT_EQ(cpus().delegate({0}, unused).error(), Error::out_of_range);
    EXPECT_EQ(cpus().delegate({cpus().known()}, unused).error(), Error::out_of_range);
    for_each_running([](CpuId cpu) {
        if (cpu == CpuId{0}) {
            return;
        }
        Job job;
        sync::Call call(Job::run, &job);
        ASSERT_TRUE(cpus().delegate(cpu, call).has_value());
        while (call.is_pending()) {
            sync::relax();
        }
        EXPECT_EQ(job.on, cpu);
        EXPECT_EQ(job.context, ExecutionContext::thread);
        EXPECT_EQ(job.state, hal::InterruptState::enabled);
    });
}

TEST(Calls, ThereIsRoomForAFewPostsOnly) {
    Seen seen;
    sync::InterruptGuard const off; // one's own calls are not served meanwhile
    CpuId const here = this_cpu().id;
    for (usize i = 0; i < CpuLocal::posts_max; ++i) {
        ASSERT_TRUE(cpus().post(here, look, &seen).has_value());
    }
    EXPECT_EQ(cpus().post(here, look, &seen).error(), Error::no_space);
    CpuSet::serve(this_cpu());
    EXPECT_EQ(seen.times.load(acquire), CpuLocal::posts_max);
    EXPECT_TRUE(cpus().post(here, look, &seen).has_value());
    CpuSet::serve(this_cpu());
    EXPECT_EQ(seen.times.load(acquire), CpuLocal::posts_max + 1);
}

/// On each of the others, and on this one, interrupts are off while everyone flushes everyone.
struct Storming {
    static constexpr u32 rounds = 50;
    Atomic<u32> done{0};
    Seen seen;

    static void run(void* argument) {
        auto& self = *static_cast<Storming*>(argument);
        for (u32 round = 0; round < rounds; ++round) {
            cpus().call_others_urgently(look, &self.seen);
        }
        self.done.fetch_add(1, release);
    }
};

TEST(Calls, AllCallAllUrgentlyWithInterruptsOff) {
    Storming storming;
    u32 const count = cpus().online();
    sync::InterruptGuard const off;
    for (u32 id = 0; id < cpus().known(); ++id) {
        if (CpuId{id} != this_cpu().id && cpus().is_online({id})) {
            ASSERT_TRUE(cpus().post({id}, Storming::run, &storming).has_value());
        }
    }
    Storming::run(&storming);
    while (storming.done.load(acquire) < count) {
        sync::relax();
    }
    EXPECT_EQ(storming.seen.times.load(acquire), count * (count - 1) * Storming::rounds);
    EXPECT_EQ(storming.seen.wrong.load(relaxed), 0u);
}

/// A lock that one holds while it calls the others urgently, and the others spin for.
struct Contended {
    sync::SpinLock lock{sync::LockRank::innermost};
    u64 value GUARDED_BY(lock) = 0;
    Atomic<u32> waiting{0};
    Atomic<u32> done{0};

    static void take(void* argument) {
        auto& self = *static_cast<Contended*>(argument);
        self.waiting.fetch_add(1, release);
        {
            sync::SpinLockGuard const guard(self.lock, sync::interrupts_are_off);
            ++self.value;
        }
        self.done.fetch_add(1, release);
    }
    u64 read() {
        sync::SpinLockGuard const guard(lock, sync::save_interrupts);
        return value;
    }
};

TEST(Calls, WhoSpinsForALockAnswersItsHolder) {
    Contended contended;
    Seen seen;
    u32 const others = cpus().online() - 1;
    {
        sync::SpinLockGuard const guard(contended.lock, sync::save_interrupts);
        for (u32 id = 0; id < cpus().known(); ++id) {
            if (CpuId{id} != this_cpu().id && cpus().is_online({id})) {
                ASSERT_TRUE(cpus().post({id}, Contended::take, &contended).has_value());
            }
        }
        while (contended.waiting.load(acquire) < others) {
            sync::relax();
        }
        cpus().call_others_urgently(look, &seen); // all of them spin, with interrupts off
        EXPECT_EQ(contended.value, 0u);
    }
    while (contended.done.load(acquire) < others) {
        sync::relax();
    }
    EXPECT_EQ(seen.times.load(acquire), others);
    EXPECT_EQ(contended.read(), others);
}

TEST(Calls, TranslationsAreDroppedEverywhere) {
    memory::KernelSpace& space = *boot::current_kernel().space;
    u64 const served = cpus().known() > 1 ? cpus().of({1}).flush_counts.served : 0;
    u64 const asked = this_cpu().flush_counts.requests;
    for (u32 round = 0; round < 20; ++round) {
        auto const stack = space.allocate_stack(page_size * 2);
        ASSERT_TRUE(stack.has_value());
        u64 const word = 0x1234'0000 + round;
        struct Probe {
            u64* place;
            u64 expected;
            Atomic<u32> wrong{0};
        } probe{.place = room_for<u64>(hal::kernel_pointer(stack.value().base)), .expected = word};
        *probe.place = word;
        cpus().call_others(
            [](void* argument) {
                auto& each = *static_cast<Probe*>(argument);
                each.wrong.fetch_add(*each.place == each.expected ? 0 : 1, relaxed);
            },
            &probe); // now all have cached it
        EXPECT_EQ(probe.wrong.load(relaxed), 0u);
        ASSERT_TRUE(space.free_stack(stack.value()).has_value());
        struct Stale {
            Atomic<u64> count{0};
        } stale;
        cpus().call_others(
            [](void* argument) {
                static_cast<Stale*>(argument)->count.fetch_add(hal::Mmu::count_stale(), relaxed);
            },
            &stale);
        EXPECT_EQ(stale.count.load(relaxed), 0u);
    }
    if (cpus().online() > 1) {
        EXPECT_GE(cpus().of({1}).flush_counts.served - served, 20u);
        EXPECT_GE(this_cpu().flush_counts.requests - asked, 20u);
    }
}

TEST(Calls, TimersOfOtherProcessorsCanBeCancelled) {
    struct Far {
        Timer timer{[](void* far) { static_cast<Far*>(far)->passed.fetch_add(1, release); }, this};
        Atomic<u32> passed{0};
    };
    static constexpr Nanos hour{3'600'000'000'000};
    for_each_running([](CpuId cpu) {
        Far far;
        auto const start = [](void* argument) {
            start_timer(static_cast<Far*>(argument)->timer, hal::Clock::now() + hour).value();
        };
        ASSERT_TRUE(cpus().call(cpu, start, &far).has_value());
        EXPECT_EQ(cpus().of(cpu).timers.pending(), 1u);
        EXPECT_TRUE(TimerQueue::cancel_and_wait(far.timer));
        EXPECT_EQ(cpus().of(cpu).timers.pending(), 0u);
        EXPECT_EQ(far.passed.load(acquire), 0u);
    });
}

TEST(Calls, EachProcessorHasDeadlinesOfItsOwn) {
    struct Near {
        Timer timer{
            [](void* near) {
                auto& self = *static_cast<Near*>(near);
                self.on.store(this_cpu().id.value, relaxed);
                self.at = hal::Clock::now();
                self.passed.store(1, release);
            },
            this};
        Nanos deadline{};
        Nanos at{};
        Atomic<u32> on{~u32{0}};
        Atomic<u32> passed{0};
    };
    for_each_running([](CpuId cpu) {
        Near near;
        auto const start = [](void* argument) {
            auto& self = *static_cast<Near*>(argument);
            self.deadline = hal::Clock::now() + Nanos{50'000};
            start_timer(self.timer, self.deadline).value();
        };
        ASSERT_TRUE(cpus().call(cpu, start, &near).has_value());
        while (near.passed.load(acquire) == 0) {
            sync::relax();
        }
        EXPECT_EQ(near.on.load(relaxed), cpu.value);
        EXPECT_GE(near.at, near.deadline);
        TimerQueue::cancel_and_wait(near.timer); // its function has returned
    });
}

TEST(ClockSkewTest, CountsAClockThatLags) {
    ClockSkewTest sound(1);
    sound.take_part(hal::Clock::now, sync::relax);
    EXPECT_TRUE(sound.is_over());
    EXPECT_EQ(sound.warps(), 0u);
    ClockSkewTest falling(1);
    falling.take_part(
        [] { return Nanos{i64{1'000'000} - static_cast<i64>(hal::Cpu::cycle_counter() >> 10)}; },
        sync::relax);
    EXPECT_TRUE(falling.is_over());
    EXPECT_GT(falling.worst(), Nanos{});
}

} // namespace
} // namespace twofold::processor
