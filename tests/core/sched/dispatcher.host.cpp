// The dispatcher in a world of the test's own: processors that are variables, a clock that is
// turned by hand. A million random events, after each of which everybody is in exactly one place;
// and what it does by example.
#include "core/sched/dispatcher.hpp"

#include "core/sched/edf.hpp"
#include "core/sched/eevdf.hpp"
#include "core/sched/realtime.hpp"
#include "tests/core/sched/campaign.hpp"
#include "tests/core/sched/test_machine.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

std::vector<CpuPlace> const one_cpu{{}};
std::vector<CpuPlace> const two_nodes{{0, 1024}, {0, 1024}, {1, 1024}, {1, 1024}};
std::vector<CpuPlace> const mixed{{0, 1024}, {0, 400}};

} // namespace

TEST(Dispatcher, AWakeUpBeforeTheSleepIsNotLost) {
    Machine<Eevdf> machine(one_cpu);
    auto& task = machine.add();
    machine.unpark(task);
    machine.run_events();
    ASSERT_EQ(machine.current(0), &task);
    machine.unpark(task); // it runs
    machine.park(0);
    EXPECT_EQ(machine.current(0), &task);
    machine.park(0);
    EXPECT_EQ(machine.current(0), nullptr);
    EXPECT_EQ(task.state(), TaskState::asleep);
}

TEST(Dispatcher, WhoRunsAloneIsNotDisturbed) {
    Machine<Eevdf> machine(one_cpu);
    machine.unpark(machine.add());
    machine.pass(10'000'000'000);
    EXPECT_EQ(machine.queues[0]->counts.attentions, 0u);
    EXPECT_EQ(machine.first_alarm(), never);
}

TEST(Dispatcher, TwoShareAProcessorByTheirWeights) {
    Machine<Eevdf> machine(one_cpu);
    auto& light = machine.add({.weight = 1024});
    auto& heavy = machine.add({.weight = 3 * 1024});
    machine.unpark(light);
    machine.unpark(heavy);
    machine.pass(4'000'000'000);
    EXPECT_NEAR(static_cast<double>(machine.ran(heavy).value), 3e9, 3e6);
    EXPECT_NEAR(static_cast<double>(machine.ran(light).value), 1e9, 3e6);
}

TEST(Dispatcher, WhoWakesGoesToAnIdleProcessorOfItsNode) {
    Machine<Fifo> machine(two_nodes);
    machine.unpark(machine.add({}, CpuMask::only({3})));
    machine.run_events();
    auto& second = machine.add();
    CpuId const home = second.cpu();
    machine.unpark(second);
    machine.run_events();
    EXPECT_EQ(second.state(), TaskState::running);
    EXPECT_EQ(second.cpu(), home) << "it was idle";
    machine.park(home.value);
    auto& third = machine.add({}, CpuMask::only(home));
    machine.unpark(third); // takes that place
    machine.run_events();
    machine.unpark(second);
    machine.run_events();
    EXPECT_EQ(second.state(), TaskState::running);
    EXPECT_NE(second.cpu(), home);
    EXPECT_EQ(second.cpu().value / 2, home.value / 2) << "the same node";
}

TEST(Dispatcher, AnIdleProcessorTakesWhatWaitsElsewhere) {
    Machine<Fifo> machine(std::vector<CpuPlace>{{0, 1024}, {0, 1024}});
    auto& first = machine.add();
    auto& second = machine.add();
    auto& third = machine.add();
    for (auto* task : {&first, &second, &third}) {
        machine.unpark(*task);
        machine.run_events();
    }
    ASSERT_EQ(third.state(), TaskState::waiting);
    u32 const other = 1 - third.cpu().value;
    machine.park(other);
    machine.run_events();
    EXPECT_EQ(third.state(), TaskState::running);
    EXPECT_EQ(third.cpu().value, other);
    EXPECT_EQ(machine.queues[other]->counts.stolen, 1u);
}

TEST(Dispatcher, WhoRunsWhereItMayNotAnyMoreGoesElsewhere) {
    Machine<Eevdf> machine(two_nodes);
    auto& task = machine.add();
    machine.unpark(task);
    machine.run_events();
    for (u32 cpu : {2u, 1u, 3u, 0u}) {
        ASSERT_TRUE(machine.dispatcher.set_allowed(task, CpuMask::only({cpu}), {0}).has_value());
        machine.run_events();
        EXPECT_EQ(task.state(), TaskState::running);
        EXPECT_EQ(task.cpu(), CpuId{cpu});
    }
    EXPECT_EQ(
        machine.dispatcher.set_allowed(task, CpuMask::only({77}), {0}).error(),
        Error::invalid_argument);
}

TEST(Dispatcher, ABandwidthLimitHolds) {
    Machine<Eevdf> machine(one_cpu);
    auto& limited = machine.add();
    ASSERT_TRUE(machine.dispatcher.set_limit(limited, {Nanos{2'000'000}, Nanos{10'000'000}}, {0})
                    .has_value());
    machine.unpark(limited);
    machine.pass(1'000'000'000);
    EXPECT_EQ(machine.ran(limited).value, 200'000'000) << "alone on its processor";
    EXPECT_EQ(machine.dispatcher.counts(limited).throttles, 100u);
    EXPECT_EQ(
        machine.dispatcher.set_limit(limited, {Nanos{20}, Nanos{10}}, {0}).error(),
        Error::out_of_range);
}

TEST(Dispatcher, WhatRunsLongGoesToTheFasterProcessor) {
    Machine<Eevdf> machine(mixed);
    auto& light = machine.add({}, CpuMask::only({0}));
    auto& task = machine.add();
    machine.unpark(light);
    machine.run_events();
    machine.unpark(task);
    machine.run_events();
    ASSERT_EQ(task.cpu(), CpuId{1}) << "the fast one is in use";
    machine.pass(20'000'000);
    machine.park(0); // now it is not
    machine.pass(20'000'000);
    EXPECT_EQ(task.cpu(), CpuId{0});
    EXPECT_EQ(task.state(), TaskState::running);
}

TEST(Dispatcher, ASlowProcessorIsAskedOnceWhereNobodyMayComeFromIt) {
    Machine<Eevdf> machine(std::vector<CpuPlace>{{0, 1024}, {0, 400}, {0, 1024}});
    CpuMask not_the_first = CpuMask::only({1});
    not_the_first.add({2});
    machine.unpark(machine.add({}, CpuMask::only({2})));
    machine.unpark(machine.add({}, not_the_first));
    machine.pass(50'000'000);
    ASSERT_NE(machine.current(1), nullptr);
    u32 kicks = 0;
    for (u32 i = 0; i < 10; ++i) {
        machine.world.kicks[1] = false;
        EXPECT_FALSE(machine.dispatcher.steal({0}));
        kicks += machine.world.kicks[1] ? 1 : 0;
        machine.dispatcher.attend({1});
    }
    EXPECT_LE(kicks, 1u); // else an idle processor never comes to rest
}

/// Else the idle processor would ask again and again until that may run.
TEST(Dispatcher, AnIdleProcessorRestsWhereWhatWaitsMayNotRunYet) {
    Machine<Edf> machine(one_cpu);
    auto& task = machine.add({Nanos{1'000'000}, Nanos{10'000'000}});
    machine.unpark(task);
    machine.pass(5'000'000);
    ASSERT_EQ(machine.current(0), nullptr);
    ASSERT_EQ(task.state(), TaskState::waiting) << "its budget is used up";
    EXPECT_FALSE(machine.dispatcher.steal({0}));
    machine.pass(6'000'000);
    EXPECT_EQ(machine.ran(task).value, 2'000'000);
}

TEST(Dispatcher, GuaranteesAreGivenWhereThereIsRoom) {
    Machine<Edf> machine(std::vector<CpuPlace>{{}, {}});
    EdfParameters const most{Nanos{6'000'000}, Nanos{10'000'000}};
    auto& first = machine.add(most);
    auto& second = machine.add(most);
    EXPECT_NE(first.cpu(), second.cpu());
    Machine<Edf>::Task third;
    EXPECT_EQ(machine.dispatcher.admit(third, most, CpuMask::all()).error(), Error::no_space);
}

namespace {

/// Whatever happens, everybody is somewhere, once.
template<class P>
void expect_sound(Machine<P>& machine) {
    std::vector<usize> runnable(machine.queues.size(), 0);
    for (auto const& task : machine.tasks) {
        u32 const cpu = task->cpu().value;
        switch (task->state()) {
        case TaskState::running:
            ASSERT_EQ(machine.current(cpu), task.get());
            ++runnable[cpu];
            break;
        case TaskState::waiting:
            ASSERT_NE(machine.current(cpu), task.get());
            ASSERT_TRUE(CheckedQueue<P>::is_waiting(*task));
            ++runnable[cpu];
            break;
        case TaskState::moving:
            FAIL() << "nobody is on the way between events";
        default:
            ASSERT_NE(machine.current(cpu), task.get());
        }
        if (task->state() != TaskState::absent && task->state() != TaskState::asleep &&
            task->state() != TaskState::throttled) {
            ASSERT_TRUE(task->allowed().has({cpu}));
        }
    }
    bool has_waiting = false;
    bool has_idle = false;
    for (u32 cpu = 0; cpu < machine.queues.size(); ++cpu) {
        auto const& queue = *machine.queues[cpu];
        ASSERT_EQ(queue.queue.runnable(), runnable[cpu]);
        ASSERT_EQ(queue.load.load(relaxed), runnable[cpu]);
        ASSERT_EQ(queue.queue.violation(), Violation::none);
        ASSERT_EQ(machine.current(cpu) == nullptr, runnable[cpu] == 0)
            << "somebody waits for nobody";
        has_waiting = has_waiting || runnable[cpu] > 1;
        has_idle = has_idle || runnable[cpu] == 0;
    }
}

template<class P>
void run_random_events(std::vector<CpuPlace> const& places, u32 tasks, u64 events, u64 seed) {
    Machine<P> machine(places);
    std::mt19937_64 random(seed);
    auto const below = [&](u64 bound) { return static_cast<u32>(random() % bound); };
    for (u32 i = 0; i < tasks; ++i) {
        machine.add();
    }
    for (u32 event = 0; event < events; ++event) {
        auto& task = *machine.tasks[below(tasks)];
        u32 const cpu = below(places.size());
        switch (below(10)) {
        case 0:
        case 1:
        case 2:
            machine.unpark(task, cpu);
            break;
        case 3:
        case 4:
            if (machine.current(cpu) != nullptr) {
                machine.park(cpu);
            }
            break;
        case 5:
            if (machine.current(cpu) != nullptr) {
                machine.yield(cpu);
            }
            break;
        case 6: {
            CpuMask allowed = CpuMask::only({cpu});
            allowed.add({below(places.size())});
            ASSERT_TRUE(machine.dispatcher.set_allowed(task, allowed, {cpu}).has_value());
            break;
        }
        case 7:
            ASSERT_TRUE(machine.dispatcher
                            .set_limit(
                                task,
                                below(2) == 0 ? BandwidthLimit{}
                                              : BandwidthLimit{Nanos{1'000'000}, Nanos{7'000'000}},
                                {cpu})
                            .has_value());
            break;
        default:
            machine.pass(below(3'000'000));
        }
        machine.run_events();
        ASSERT_NO_FATAL_FAILURE(expect_sound(machine)) << "event " << event;
    }
}

} // namespace

TEST(Dispatcher, EverybodyIsInOnePlaceWhateverHappens) {
    u64 const random_events = model_operations() / 5;
    run_random_events<Eevdf>(two_nodes, 12, random_events, 1);
    run_random_events<RoundRobin>(one_cpu, 5, random_events, 2);
    run_random_events<Fifo>(mixed, 4, random_events, 3);
}

// ---- policies that err ----

namespace {

/// Round robin that answers wrongly from the hundredth question on.
class Hostile {
public:
    using Entity = RealtimeEntity;
    using Parameters = RealtimeParameters;
    static constexpr std::string_view name = "hostile";

    static inline Violation way = Violation::none;

    static Result<void> check(Parameters const& parameters) { return Fifo::check(parameters); }
    Result<void> admit(Entity& entity, Parameters const& parameters, Nanos now) {
        m_any = m_any == nullptr ? &entity : m_any;
        return m_good.admit(entity, parameters, now);
    }
    Result<void> change(Entity& entity, Parameters const& parameters, Nanos now) {
        if (way == Violation::wrong_error) {
            return Error::timed_out;
        }
        return m_good.change(entity, parameters, now);
    }
    void expel(Entity& entity, Nanos now) { m_good.expel(entity, now); }
    void wake(Entity& entity, Nanos now) { m_good.wake(entity, now); }
    void cancel(Entity& entity, Nanos now) { m_good.cancel(entity, now); }
    Choice<Entity> pick(Nanos now) {
        auto answer = m_good.pick(now);
        if (++m_picks < 100) {
            return answer;
        }
        switch (way) {
        case Violation::nobody:
            return {};
        case Violation::stranger:
            return {&m_stranger, Nanos{1000}};
        case Violation::not_waiting:
            return {m_last, Nanos{1000}};
        case Violation::empty_slice:
            return {answer.entity, Nanos{0}};
        default:
            m_last = answer.entity;
            return answer;
        }
    }
    void charge(Nanos used, Nanos now) { m_good.charge(used, now); }
    void put_back(Nanos now) { m_good.put_back(now); }
    void yield(Nanos now) { m_good.yield(now); }
    void sleep(Nanos now) {
        m_last = m_good.current();
        m_good.sleep(now);
    }
    bool preempts(Entity const& entity, Nanos now) const { return m_good.preempts(entity, now); }
    usize runnable() const {
        return m_good.runnable() + (way == Violation::wrong_count && m_picks >= 100 ? 1 : 0);
    }
    Entity* current() const {
        return way == Violation::other_current && m_picks >= 100 ? m_any : m_good.current();
    }

private:
    RoundRobin m_good;
    Entity m_stranger;
    Entity* m_last = nullptr;
    Entity* m_any = nullptr;
    u32 m_picks = 0;
};
static_assert(Policy<Hostile>);

} // namespace

TEST(Dispatcher, EachKindOfWrongAnswerIsNamedAndNobodyIsLost) {
    for (usize kind = 1; kind < violation_count; ++kind) {
        Hostile::way = static_cast<Violation>(kind);
        Machine<Hostile> machine(one_cpu);
        auto& sleeper = machine.add();
        std::vector<Machine<Hostile>::Task*> tasks;
        for (u32 i = 0; i < 3; ++i) {
            tasks.push_back(&machine.add());
        }
        for (auto* task : tasks) {
            machine.unpark(*task);
        }
        machine.unpark(sleeper);
        machine.run_events();
        for (u32 i = 0; i < 200; ++i) {
            while (machine.current(0) == &sleeper) {
                machine.park(0);
                machine.run_events();
            }
            machine.yield(0);
            machine.run_events();
        }
        if (Hostile::way == Violation::wrong_error) {
            EXPECT_TRUE(machine.dispatcher.change(*tasks[0], {}, {0}).has_value());
            machine.yield(0);
        }
        EXPECT_EQ(violation_name(machine.world.violation), violation_name(Hostile::way));
        std::vector<i64> before;
        for (auto* task : tasks) {
            before.push_back(machine.ran(*task).value);
        }
        machine.pass(300'000'000);
        for (usize i = 0; i < tasks.size(); ++i) {
            EXPECT_NEAR(static_cast<double>(machine.ran(*tasks[i]).value - before[i]), 1e8, 2e6)
                << violation_name(Hostile::way) << ", task " << i;
        }
        EXPECT_EQ(sleeper.state(), TaskState::asleep);
        Hostile::way = Violation::none;
    }
}
