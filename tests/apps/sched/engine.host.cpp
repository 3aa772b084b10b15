// Schedules that can be worked out by hand, on the engine with the kernel's dispatcher and classes.
#include "apps/sched/groups.hpp"
#include "apps/sched/perfetto_trace.hpp"
#include "apps/sched/run.hpp"
#include "apps/sched/workload_builder.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

using namespace twofold;
using namespace twofold::lab;

namespace {

constexpr i64 us = 1'000;
constexpr i64 ms = 1'000'000;

using Kind = OperationKind;

/// Keeps who ran where and when, as text: "CPU NAME FROM..TO" in microseconds, by their ends.
class Log : public Sink {
public:
    explicit Log(Workload const& workload)
        : m_names(thread_names(workload)), m_running(workload.cpus.size()) {}

    void take(Happening const& happening) override {
        if (happening.kind == HappeningKind::run) {
            end(happening.cpu, happening.now);
            m_running[happening.cpu] = {happening.thread, happening.now};
        }
    }
    void finish(Nanos now) override {
        for (u32 cpu = 0; cpu < m_running.size(); ++cpu) {
            end(cpu, now);
        }
    }
    std::string const& text() const { return m_text; }

private:
    struct Running {
        u32 thread = nobody;
        Nanos since{};
    };

    void end(u32 cpu, Nanos now) {
        Running& running = m_running[cpu];
        if (running.thread != nobody && running.since != now) {
            m_text += fmt::format(
                "{} {} {}..{}\n", cpu, m_names[running.thread], running.since.value / us,
                now.value / us);
        }
        running.thread = nobody;
    }

    std::vector<std::string> m_names;
    std::vector<Running> m_running;
    std::string m_text;
};

/// A workload of its own, and what became of it.
class Lab {
public:
    WorkloadBuilder builder{"test"};

    explicit Lab(u32 cpus = 1, Nanos duration = {10 * ms}) {
        builder.set_cpus(equal_cpus(cpus, 1));
        builder.set_duration(duration);
    }
    void
    begin(std::string_view name, Scheduling const& wanted = {}, Affinity affinity = ~Affinity{}) {
        builder.begin_task(name, 0, wanted, affinity, {});
    }
    void compute(i64 time) { builder.add(Kind::run, 0, time); }
    void end() { builder.finish_task(); }

    /// Runs it; the schedule.
    std::string run(std::string const& policy, Nanos switch_cost = {}) {
        m_workload = builder.finish();
        Workload const workload = m_workload.view();
        Log log(workload);
        Sinks sinks;
        sinks.all.push_back(&log);
        outcome = run_workload(
            workload,
            {.policy = policy,
             .switch_cost = switch_cost,
             .duration = workload.duration,
             .inherits = inherits},
            sinks);
        return log.text();
    }
    ThreadFigures const& thread(u32 number) const { return outcome.figures.threads[number]; }

    RunOutcome outcome;
    bool inherits = false;

private:
    OwnedWorkload m_workload;
};

TEST(Engine, OneThreadAfterAnotherByPriority) {
    Lab lab;
    lab.begin("low", {.priority = 1});
    lab.compute(2 * ms);
    lab.end();
    lab.begin("high", {.priority = 2});
    lab.compute(3 * ms);
    lab.end();
    EXPECT_EQ(lab.run("fifo"), "0 high 0..3000\n0 low 3000..5000\n");
    EXPECT_EQ(lab.thread(0).waited.value, 3 * ms); // it came first, and was preempted at once
    EXPECT_EQ(lab.thread(0).preemptions, 1u);
    EXPECT_EQ(lab.thread(1).waited.value, 0);
    EXPECT_EQ(lab.outcome.figures.cpus[0].busy.value, 5 * ms);
}

TEST(Engine, RoundRobinGoesRound) {
    Lab lab(1, {40 * ms});
    for (char const* const name : {"a", "b"}) {
        lab.begin(name, {.slice = {10 * ms}});
        lab.compute(15 * ms);
        lab.end();
    }
    EXPECT_EQ(
        lab.run("rr"), "0 a 0..10000\n0 b 10000..20000\n0 a 20000..25000\n0 b 25000..30000\n");
}

TEST(Engine, SharesFollowWeights) {
    Lab lab(1, {400 * ms});
    lab.begin("three", {.weight = 3072, .slice = {ms}});
    lab.compute(1000 * ms);
    lab.end();
    lab.begin("one", {.weight = 1024, .slice = {ms}});
    lab.compute(1000 * ms);
    lab.end();
    lab.run("eevdf");
    EXPECT_NEAR(static_cast<double>(lab.thread(0).ran.value), 300e6, 1e6);
    EXPECT_NEAR(static_cast<double>(lab.thread(1).ran.value), 100e6, 1e6);
    EXPECT_GT(fairness(lab.outcome.figures), 0.9999);
    // Nobody is owed or owes more than one request.
    for (u32 i = 0; i < 2; ++i) {
        EXPECT_LE(lab.thread(i).lag_max, 1.0 * ms);
        EXPECT_GE(lab.thread(i).lag_min, -1.0 * ms);
    }
}

TEST(Engine, TwoProcessorsRunTwoThreads) {
    Lab lab(2);
    for (char const* const name : {"a", "b"}) {
        lab.begin(name);
        lab.compute(4 * ms);
        lab.end();
    }
    EXPECT_EQ(lab.run("eevdf"), "0 a 0..4000\n1 b 0..4000\n");
}

TEST(Engine, AnIdleProcessorTakesWhoWaits) {
    Lab lab(2, {20 * ms});
    lab.begin("short", {}, 2);
    lab.compute(2 * ms);
    lab.end();
    for (char const* const name : {"a", "b"}) {
        lab.begin(name, {.priority = 5});
        lab.compute(6 * ms);
        lab.end();
    }
    // b has to wait behind a until processor 1 has nothing to do any more.
    EXPECT_EQ(lab.run("fifo"), "1 short 0..2000\n0 a 0..6000\n1 b 2000..8000\n");
}

TEST(Engine, ASlowProcessorTakesLonger) {
    Lab lab;
    std::vector<Cpu> cpus = equal_cpus(1, 1);
    cpus[0].capacity = 512;
    lab.builder.set_cpus(cpus);
    lab.begin("work");
    lab.compute(2 * ms);
    lab.builder.add(Kind::runtime, 0, ms);
    lab.end();
    EXPECT_EQ(lab.run("eevdf"), "0 work 0..5000\n");
}

TEST(Engine, SwitchesCostWhatIsSaid) {
    Lab lab(1, {40 * ms});
    for (char const* const name : {"a", "b"}) {
        lab.begin(name, {.slice = {10 * ms}});
        lab.compute(15 * ms);
        lab.end();
    }
    // Each quantum loses the 100 us of its switch: what is left over needs one more turn.
    EXPECT_EQ(
        lab.run("rr", {100 * us}),
        "0 a 0..10000\n0 b 10000..20000\n0 a 20000..25200\n0 b 25200..30400\n");
    EXPECT_EQ(lab.outcome.figures.cpus[0].overhead.value, 400 * us);
    EXPECT_EQ(lab.outcome.figures.cpus[0].switches, 4u);
}

TEST(Engine, TimersKeepTheirPeriod) {
    Lab lab(1, {50 * ms});
    lab.begin("periodic");
    lab.builder.begin_loop(forever);
    lab.compute(2 * ms);
    lab.builder.add_timer(lab.builder.timer("t"), {10 * ms}, TimerMode::relative);
    lab.builder.end_loop();
    lab.end();
    EXPECT_EQ(
        lab.run("eevdf"), "0 periodic 0..2000\n0 periodic 10000..12000\n0 periodic 20000..22000\n"
                          "0 periodic 30000..32000\n0 periodic 40000..42000\n");
    EXPECT_EQ(lab.thread(0).responses, std::vector<i64>(5, 2 * ms));
    EXPECT_EQ(lab.thread(0).late, 0u);
}

/// Ten times 10 ms of work with a timer of 20 ms, the third time 30 ms.
void add_overrun(Lab& lab, TimerMode mode) {
    lab.begin("r0");
    for (i64 const run : {10, 10, 30, 10, 10, 10}) {
        lab.compute(run * ms);
        lab.builder.add_timer(lab.builder.timer("t"), {20 * ms}, mode);
    }
    lab.end();
}

TEST(Engine, ARelativeTimerBeginsAnewAfterAMiss) {
    Lab lab(1, {130 * ms});
    add_overrun(lab, TimerMode::relative);
    EXPECT_EQ(
        lab.run("eevdf"), "0 r0 0..10000\n0 r0 20000..30000\n0 r0 40000..80000\n"
                          "0 r0 90000..100000\n0 r0 110000..120000\n");
    EXPECT_EQ(lab.thread(0).late, 1u);
}

TEST(Engine, AnAbsoluteTimerCatchesUp) {
    Lab lab(1, {130 * ms});
    add_overrun(lab, TimerMode::absolute);
    // The fourth job is done at 80 ms, just in time; only the third is late.
    EXPECT_EQ(
        lab.run("eevdf"), "0 r0 0..10000\n0 r0 20000..30000\n0 r0 40000..90000\n"
                          "0 r0 100000..110000\n");
    EXPECT_EQ(lab.thread(0).late, 1u);
}

TEST(Engine, AMutexIsHandedOver) {
    Lab lab(2);
    u32 const mutex = lab.builder.mutex("m");
    for (char const* const name : {"a", "b"}) {
        lab.begin(name);
        lab.builder.add(Kind::lock, mutex);
        lab.compute(2 * ms);
        lab.builder.add(Kind::unlock, mutex);
        lab.compute(ms);
        lab.end();
    }
    EXPECT_EQ(lab.run("eevdf"), "0 a 0..3000\n1 b 2000..5000\n");
}

/// A low thread holds a mutex that a high one wants, and one between them computes.
void add_inversion(Lab& lab) {
    u32 const mutex = lab.builder.mutex("m");
    auto const add = [&](std::string_view name, u32 priority, i64 delay, bool locks) {
        lab.builder.begin_task(name, 0, {.priority = priority}, ~Affinity{}, {delay});
        if (locks) {
            lab.builder.add(Kind::lock, mutex);
        }
        lab.compute(2 * ms);
        if (locks) {
            lab.builder.add(Kind::unlock, mutex);
        }
        lab.end();
    };
    add("low", 1, 0, true);
    add("middle", 2, ms, false);
    add("high", 3, ms + us, true);
}

TEST(Engine, WithoutInheritanceAHighPriorityWaitsForAMiddleOne) {
    Lab lab;
    add_inversion(lab);
    EXPECT_EQ(
        lab.run("fifo"),
        "0 low 0..1000\n0 middle 1000..1001\n0 middle 1001..3000\n0 low 3000..4000\n"
        "0 high 4000..6000\n");
}

TEST(Engine, AHolderInheritsThePriorityOfWhoWaits) {
    Lab lab;
    lab.inherits = true;
    add_inversion(lab);
    EXPECT_EQ(
        lab.run("fifo"), "0 low 0..1000\n0 middle 1000..1001\n0 low 1001..2001\n0 high 2001..4001\n"
                         "0 middle 4001..6000\n");
}

TEST(Engine, AConditionGivesItsMutexUpAndTakesItBack) {
    Lab lab(2);
    u32 const mutex = lab.builder.mutex("m");
    u32 const condition = lab.builder.condition("c");
    lab.begin("waiter");
    lab.builder.add(Kind::lock, mutex);
    lab.builder.add(Kind::wait, condition, mutex);
    lab.compute(ms);
    lab.builder.add(Kind::unlock, mutex);
    lab.end();
    lab.begin("signaller");
    lab.compute(ms);
    lab.builder.add(Kind::lock, mutex);
    lab.builder.add(Kind::signal, condition);
    lab.compute(2 * ms); // the waiter has to wait for the mutex
    lab.builder.add(Kind::unlock, mutex);
    lab.end();
    EXPECT_EQ(lab.run("eevdf"), "0 signaller 0..3000\n1 waiter 3000..4000\n");
}

TEST(Engine, ABroadcastWakesAllAndABarrierHoldsAll) {
    Lab lab(3);
    u32 const condition = lab.builder.condition("c");
    u32 barrier = 0;
    for (char const* const name : {"a", "b"}) {
        barrier = lab.builder.barrier("together");
        lab.begin(name);
        lab.builder.add(Kind::wait, condition, no_mutex);
        lab.compute((name[0] == 'a' ? 1 : 2) * ms);
        lab.builder.add(Kind::barrier, barrier);
        lab.compute(ms);
        lab.end();
    }
    lab.begin("waker");
    lab.compute(ms);
    lab.builder.add(Kind::broadcast, condition);
    lab.end();
    EXPECT_EQ(
        lab.run("eevdf"), "0 waker 0..1000\n1 a 1000..2000\n2 b 1000..4000\n1 a 3000..4000\n");
}

TEST(Engine, MessagesWaitInTheirQueue) {
    Lab lab(2);
    u32 const queue = lab.builder.queue("q", 1);
    lab.begin("sender");
    lab.builder.begin_loop(3);
    lab.builder.add(Kind::send, queue);
    lab.builder.end_loop();
    lab.compute(ms);
    lab.end();
    lab.begin("receiver");
    lab.compute(ms);
    lab.builder.begin_loop(3);
    lab.builder.add(Kind::receive, queue);
    lab.compute(ms);
    lab.builder.end_loop();
    lab.end();
    // The second message finds the queue full, and the third again.
    EXPECT_EQ(lab.run("eevdf"), "1 sender 2000..3000\n0 receiver 0..4000\n");
}

TEST(Engine, ADeviceServesOneAfterAnother) {
    Lab lab(2);
    u32 const device = lab.builder.device("d");
    for (char const* const name : {"a", "b"}) {
        lab.begin(name);
        lab.builder.add(Kind::offload, device, 2 * ms);
        lab.compute(ms);
        lab.end();
    }
    EXPECT_EQ(lab.run("eevdf"), "0 a 2000..3000\n0 b 4000..5000\n");
}

TEST(Engine, AThreadMovesWhereItIsTold) {
    Lab lab(2);
    lab.begin("wanderer", {}, 1);
    lab.compute(ms);
    lab.builder.add(Kind::move, lab.builder.affinity(2));
    lab.compute(ms);
    lab.end();
    EXPECT_EQ(lab.run("eevdf"), "0 wanderer 0..1000\n1 wanderer 1000..2000\n");
    EXPECT_EQ(lab.thread(0).migrations, 1u);
}

TEST(Engine, AGuaranteeIsKeptBesideAHog) {
    Lab lab(1, {100 * ms});
    lab.begin("guaranteed", {.demand = Demand::deadline, .runtime = {3 * ms}, .period = {10 * ms}});
    lab.builder.begin_loop(forever);
    lab.compute(3 * ms);
    lab.builder.add_timer(lab.builder.timer("t"), {10 * ms}, TimerMode::absolute);
    lab.builder.end_loop();
    lab.end();
    lab.begin("hog");
    lab.compute(1000 * ms);
    lab.end();
    lab.run("eevdf");
    EXPECT_EQ(lab.thread(0).late, 0u);
    EXPECT_EQ(lab.thread(0).ran.value, 30 * ms);
    EXPECT_EQ(lab.thread(1).ran.value, 70 * ms);
}

TEST(Engine, AGuaranteeStaysOnItsProcessor) {
    // Together they need 1.2 processors; each keeps what it got where it was admitted.
    Lab lab(2, {100 * ms});
    for (u32 i = 0; i < 4; ++i) {
        lab.builder.begin_task(
            "guaranteed", i,
            {.demand = Demand::deadline, .runtime = {3100 * us}, .period = {10 * ms}}, ~Affinity{},
            {i * ms});
        lab.builder.begin_loop(forever);
        lab.compute(3 * ms);
        lab.builder.add_timer(lab.builder.timer(std::to_string(i)), {10 * ms}, TimerMode::absolute);
        lab.builder.end_loop();
        lab.end();
    }
    lab.run("eevdf");
    ASSERT_FALSE(lab.outcome.refusal.has_value());
    for (u32 i = 0; i < 4; ++i) {
        EXPECT_EQ(lab.thread(i).late, 0u);
        EXPECT_EQ(lab.thread(i).migrations, 0u);
    }
}

TEST(Engine, NobodyRunsWithoutABudget) {
    Lab lab(2, {30 * ms});
    lab.begin("limited", {.demand = Demand::deadline, .runtime = {6 * ms}, .period = {10 * ms}});
    lab.compute(1000 * ms);
    lab.end();
    EXPECT_EQ(
        lab.run("eevdf"), "0 limited 0..6000\n0 limited 10000..16000\n0 limited 20000..26000\n");
}

TEST(Engine, WhatCannotBeGuaranteedIsRefusedWithTheReason) {
    Lab lab;
    for (char const* const name : {"first", "second"}) {
        lab.begin(name, {.demand = Demand::deadline, .runtime = {6 * ms}, .period = {10 * ms}});
        lab.compute(ms);
        lab.end();
    }
    EXPECT_EQ(lab.run("eevdf"), "");
    ASSERT_TRUE(lab.outcome.refusal.has_value());
    EXPECT_EQ(lab.outcome.refusal->thread, 1u);
    EXPECT_EQ(lab.outcome.refusal->error, Error::no_space);
    EXPECT_NE(lab.outcome.refusal->reason.find("0.600 of a processor"), std::string::npos);
}

TEST(Engine, NumbersOutOfRangeAreRefused) {
    for (Scheduling const& wanted :
         {Scheduling{.weight = 0}, Scheduling{.weight = ~u32{0}}, Scheduling{.slice = {1}}}) {
        Lab lab;
        lab.begin("odd", wanted);
        lab.compute(ms);
        lab.end();
        lab.run("eevdf");
        ASSERT_TRUE(lab.outcome.refusal.has_value());
        EXPECT_EQ(lab.outcome.refusal->error, Error::out_of_range);
    }
}

TEST(Engine, GoingRoundInNoTimeEndsTheRun) {
    Lab lab;
    lab.begin("spinner");
    lab.builder.begin_loop(forever);
    lab.builder.add(Kind::yield);
    lab.builder.end_loop();
    lab.end();
    lab.run("eevdf");
    EXPECT_EQ(lab.outcome.figures.stuck, 0u);
}

TEST(Engine, TwoRunsAreTheSame) {
    std::string texts[2];
    for (std::string& text : texts) {
        Lab lab(3, {200 * ms});
        u32 const mutex = lab.builder.mutex("m");
        for (u32 i = 0; i < 9; ++i) {
            lab.builder.begin_task("t", i, {}, ~Affinity{}, {i * 100 * us});
            lab.builder.begin_loop(forever);
            lab.compute((i + 1) * 150 * us);
            lab.builder.add(Kind::lock, mutex);
            lab.compute(70 * us);
            lab.builder.add(Kind::unlock, mutex);
            lab.builder.add(Kind::sleep, 0, (10 - i) * 90 * us);
            lab.builder.end_loop();
            lab.end();
        }
        text = lab.run("eevdf", {us});
    }
    EXPECT_EQ(texts[0], texts[1]);
    EXPECT_GT(texts[0].size(), 1000u);
}

TEST(Engine, ThousandsWaitForOneThingAndTimeDoesNotOverflow) {
    Lab lab(1, {10 * ms});
    constexpr u32 threads = 6000; // of each kind 3,000 x 2^52 ns, more than 2^63
    u32 const device = lab.builder.device("d"), timer = lab.builder.timer("t");
    for (u32 i = 0; i < threads; ++i) {
        lab.begin("t");
        bool const is_even = i % 2 == 0;
        lab.builder.add(
            is_even ? Kind::offload : Kind::timer, is_even ? device : timer, time_max.value);
        lab.end();
    }
    lab.run("rr");
    EXPECT_EQ(whole(lab.outcome.figures).figures.wakes, threads);
}

} // namespace
