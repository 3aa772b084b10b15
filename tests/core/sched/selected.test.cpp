// The policy that the build selected (-DTWOFOLD_SCHED_POLICY=file, see
// docs/guides/write-a-scheduler.md), or the one of that guide: random events through a queue that
// checks every answer, and through a dispatcher of two processors.
#include <selected_policy.hpp> // the guide's, or generated: includes the chosen file

#include "core/sched/dispatcher.hpp"
#include "tests/support/test.hpp"

namespace twofold::sched {
namespace {

static_assert(Policy<SelectedPolicy>, "the selected class does not model Policy");

using Queue = CheckedQueue<SelectedPolicy>;

/// Everybody has default parameters; an event that its state allows.
struct Trial {
    static constexpr usize members = 8;

    void step() {
        usize const member = random.next() % members;
        auto& entity = entities[member];
        auto& state = states[member];
        switch (random.next() % 6) {
        case 0:
        case 1:
            if (state == EntityState::absent) {
                EXPECT_TRUE(queue.admit(entity, {}, now).has_value());
                state = EntityState::asleep;
            } else if (state == EntityState::asleep) {
                queue.wake(entity, now);
                state = EntityState::waiting;
            }
            break;
        case 2:
            if (state == EntityState::asleep) {
                queue.expel(entity, now);
                state = EntityState::absent;
            } else if (state == EntityState::waiting) {
                queue.cancel(entity, now);
                state = EntityState::asleep;
            }
            break;
        case 3:
            if (state != EntityState::absent) {
                EXPECT_TRUE(queue.change(entity, {}, now).has_value());
            }
            break;
        default:
            decide();
        }
        EXPECT_EQ(violation_name(queue.violation()), "none");
    }
    void decide() {
        if (queue.current() == nullptr) {
            auto const choice = queue.pick(now);
            slice = choice.slice;
            if (choice.entity != nullptr) {
                states[index(*choice.entity)] = EntityState::current;
            }
            return;
        }
        Nanos const used{static_cast<i64>(random.next() % 4'000'000)};
        now = now + std::min(slice, used);
        queue.charge(std::min(slice, used), now);
        leave(random.next() % 3);
    }
    void leave(u64 how) {
        states[index(*queue.current())] = how == 0 ? EntityState::asleep : EntityState::waiting;
        how == 0 ? queue.sleep(now) : how == 1 ? queue.yield(now) : queue.put_back(now);
    }
    usize index(Queue::Entity const& entity) const {
        return static_cast<usize>(&entity - entities);
    }
    void end() {
        if (queue.current() != nullptr) {
            leave(0);
        }
        for (usize member = 0; member < members; ++member) {
            if (states[member] == EntityState::waiting) {
                queue.cancel(entities[member], now);
            }
            if (states[member] != EntityState::absent) {
                queue.expel(entities[member], now);
            }
        }
    }

    Queue queue;
    Queue::Entity entities[members];
    EntityState states[members] = {};
    SplitMix64 random{2026};
    Nanos now{};
    Nanos slice = never;
};

TEST(SelectedPolicy, GivesNoWrongAnswer) {
    Trial trial;
    for (u32 event = 0; event < 20'000; ++event) {
        trial.step();
    }
    trial.end();
    EXPECT_EQ(violation_name(trial.queue.violation()), "none");
}

TEST(SelectedPolicy, LosesNobodyWhoWaits) {
    Trial trial;
    for (usize member = 0; member < Trial::members; ++member) {
        ASSERT_TRUE(trial.queue.admit(trial.entities[member], {}, {}).has_value());
        trial.queue.wake(trial.entities[member], {});
        trial.states[member] = EntityState::waiting;
    }
    u32 chosen = 0;
    for (u32 turn = 0; turn < 1000 && trial.queue.runnable() > 0; ++turn) {
        auto const choice = trial.queue.pick(trial.now);
        if (choice.entity == nullptr) {
            trial.now = trial.now + choice.slice;
            continue;
        }
        ++chosen;
        trial.states[trial.index(*choice.entity)] = EntityState::current;
        trial.leave(0);
    }
    EXPECT_EQ(chosen, Trial::members);
    trial.end();
}

/// One thread is both processors.
struct TestWorld {
    struct Lock {
        void lock() {}
        void unlock() {}
    };
    Nanos now(CpuId) const { return time; }
    void arm(CpuId here, Nanos at) { alarms[here.value] = at; }
    void kick(CpuId cpu) { alarms[cpu.value] = time; }
    void relax() {}

    Nanos time{};
    Nanos alarms[2] = {never, never};
};

TEST(SelectedPolicy, ADispatcherOfTwoProcessorsFinishesAllThreads) {
    using Dispatch = Dispatcher<SelectedPolicy, TestWorld>;
    constexpr usize threads = 6;
    TestWorld world;
    Dispatch::Queue queues[2];
    Dispatch::Queue* pointers[2] = {};
    Dispatch::Task idles[2];
    Dispatch::Task tasks[threads];
    Nanos left[threads];
    Dispatch dispatcher(world, pointers);
    auto const follow = [&](Dispatch::Task* next, CpuId cpu) {
        if (next != nullptr) {
            dispatcher.finish(cpu);
        }
    };
    for (u32 cpu = 0; cpu < 2; ++cpu) {
        dispatcher.add(queues[cpu], {cpu}, {}, idles[cpu]);
    }
    for (usize index = 0; index < threads; ++index) {
        left[index] = Nanos{20'000'000};
        ASSERT_TRUE(dispatcher.admit(tasks[index], {}, CpuMask::all()).has_value());
        dispatcher.unpark(tasks[index], {0});
    }
    usize ended = 0;
    for (u32 turn = 0; turn < 10'000 && ended < threads; ++turn) {
        world.time = world.time + Nanos{500'000};
        for (CpuId const cpu : {CpuId{0}, CpuId{1}}) {
            if (Dispatch::Task* const task = dispatcher.current(cpu); task != &idles[cpu.value]) {
                usize const index = static_cast<usize>(task - tasks);
                left[index] = left[index] - Nanos{500'000};
                if (left[index] <= Nanos{}) {
                    ++ended;
                    follow(dispatcher.exit(cpu), cpu);
                }
            }
            if (world.alarms[cpu.value] <= world.time) {
                world.alarms[cpu.value] = never;
                dispatcher.attend(cpu);
            }
            if (dispatcher.wants_reschedule(cpu)) {
                follow(dispatcher.preempt(cpu), cpu);
            }
            if (dispatcher.current(cpu) == &idles[cpu.value] && dispatcher.steal(cpu)) {
                follow(dispatcher.preempt(cpu), cpu);
            }
        }
    }
    EXPECT_EQ(ended, threads);
    for (Dispatch::Queue& queue : queues) {
        EXPECT_EQ(violation_name(queue.queue.violation()), "none");
    }
}

} // namespace
} // namespace twofold::sched
