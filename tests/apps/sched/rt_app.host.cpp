// rt-app's files: what becomes of the keys, and every way in which a file is refused.
#include "apps/sched/rt_app.hpp"
#include "apps/launch/status.hpp"
#include "core/sched/sched.hpp"

#include <gtest/gtest.h>

using namespace twofold;
using namespace twofold::lab;

namespace {

using Kind = OperationKind;

WorkloadDefaults defaults() {
    return {.cpus = equal_cpus(2, 1), .duration = {1'000'000'000}};
}

RtAppWorkload read(std::string_view text) {
    return read_rt_app("app.json", text, defaults());
}

/// The one line of the refusal; empty if there is none.
std::string refusal(std::string_view text) {
    try {
        read(text);
    } catch (launch::Failure const& failure) {
        EXPECT_EQ(failure.status(), launch::Status::usage);
        return failure.what();
    }
    return "";
}

/// The same for a thread with these members.
std::string refusal_of_thread(std::string const& members) {
    return refusal("{\"tasks\": {\n\"t\": {" + members + "}}}");
}

std::vector<Operation> operations(std::string const& members) {
    return read("{\"tasks\": {\"t\": {" + members + "}}}").workload.operations;
}

Operation operation(Kind kind, u32 object = 0, i64 amount = 0, u8 level = 0) {
    return {.kind = kind, .level = level, .object = object, .amount = amount};
}

TEST(RtApp, AThreadGoesRoundForEver) {
    std::vector<Operation> const expected = {
        operation(Kind::begin, 0, forever), operation(Kind::run, 0, 10'000),
        operation(Kind::sleep, 0, 20'000),  operation(Kind::runtime, 0, 30'000),
        operation(Kind::repeat, 1),         operation(Kind::exit)};
    EXPECT_EQ(operations(R"("run": 10, "sleep": 20, "runtime": 30)"), expected);
}

TEST(RtApp, EqualKeysAreAllKeptInTheirOrder) {
    auto const made = operations(R"("run": 1, "sleep": 2, "run": 3, "run4": 4, "run_end": 5)");
    std::vector<i64> amounts;
    for (Operation const& each : made) {
        if (each.kind == Kind::run || each.kind == Kind::sleep) {
            amounts.push_back(each.amount);
        }
    }
    EXPECT_EQ(amounts, (std::vector<i64>{1'000, 2'000, 3'000, 4'000, 5'000}));
}

TEST(RtApp, PhasesNestInTheThreadsLoop) {
    std::vector<Operation> const expected = {operation(Kind::begin, 0, 3),
                                             operation(Kind::begin, 0, 2, 1),
                                             operation(Kind::run, 0, 1'000),
                                             operation(Kind::repeat, 2, 0, 1),
                                             operation(Kind::begin, 0, 1, 1),
                                             operation(Kind::run, 0, 2'000),
                                             operation(Kind::repeat, 5, 0, 1),
                                             operation(Kind::repeat, 1),
                                             operation(Kind::exit)};
    EXPECT_EQ(
        operations(
            R"("loop": 3, "phases": {"a": {"loop": 2, "run": 1}, "b": {"run": 2},
               "never": {"loop": 0, "run": 9}})"),
        expected);
}

TEST(RtApp, UniqueTimersBelongToEachInstance) {
    auto const made = read(
        R"({"tasks": {"t": {"instance": 2, "run": 1,
            "timer": {"ref": "unique", "period": 100, "mode": "absolute"}},
            "u": {"run": 1, "timer": {"ref": "shared", "period": 100}},
            "v": {"run": 1, "timer": {"ref": "shared", "period": 100}}}})");
    EXPECT_EQ(made.workload.tasks.size(), 4u);
    EXPECT_EQ(made.workload.timers, 3u);
    EXPECT_EQ(made.workload.operations[2].mode, TimerMode::absolute);
    EXPECT_EQ(made.workload.operations[2].amount, 100'000);
}

TEST(RtApp, SuspensionIsAConditionOfTheName) {
    auto const made =
        read(R"({"tasks": {"a": {"suspend": "", "run": 1}, "b": {"run": 1, "resume": "a"}}})");
    EXPECT_EQ(made.workload.conditions, 1u);
    EXPECT_EQ(made.workload.operations[1], operation(Kind::wait, 0, no_mutex));
    EXPECT_EQ(made.workload.operations[7], operation(Kind::broadcast, 0));
}

TEST(RtApp, PoliciesAndPriorities) {
    auto const made = read(
        R"({"global": {"default_policy": "SCHED_FIFO", "duration": 3, "pi_enabled": true},
            "tasks": {"a": {"run": 1}, "b": {"policy": "SCHED_OTHER", "priority": -5, "run": 1},
            "c": {"policy": "SCHED_DEADLINE", "dl-runtime": 2000, "dl-period": 10000, "run": 1},
            "d": {"policy": "SCHED_RR", "priority": 99, "run": 1, "cpus": [1], "slice": 10}}})");
    auto const scheduling = [&](u32 task) {
        return made.workload.schedulings[made.workload.tasks[task].schedule];
    };
    EXPECT_EQ(scheduling(0).demand, Demand::fifo);
    EXPECT_EQ(scheduling(1).demand, Demand::ordinary);
    EXPECT_EQ(scheduling(1).weight, sched::weight_of_nice(-5).value());
    EXPECT_EQ(scheduling(2).runtime.value, 2'000'000);
    EXPECT_EQ(scheduling(2).period.value, 10'000'000);
    EXPECT_EQ(scheduling(3).priority, 63u);
    EXPECT_EQ(scheduling(3).slice.value, 10'000);
    EXPECT_EQ(made.workload.affinities[made.workload.tasks[3].affinity], 2u);
    EXPECT_EQ(made.workload.duration.value, 3'000'000'000);
    EXPECT_TRUE(made.inherits);
}

TEST(RtApp, WhatAPeriodicThreadNeedsIsKnown) {
    auto const made =
        read(R"({"tasks": {"t": {"run": 2000, "timer": {"ref": "u", "period": 10000}}}})");
    EXPECT_EQ(made.workload.schedulings[0].runtime.value, 2'000'000);
    EXPECT_EQ(made.workload.schedulings[0].period.value, 10'000'000);
}

TEST(RtApp, TheMachine) {
    auto const made = read(
        R"({"machine": {"capacity": [1024, 512, 512], "cpus": 3, "node": [0, 0, 1],
            "active_mw": [9, 5, 5]}, "tasks": {"t": {"run": 1}}})");
    ASSERT_EQ(made.workload.cpus.size(), 3u);
    EXPECT_EQ(made.workload.cpus[1].capacity, 512u);
    EXPECT_EQ(made.workload.cpus[2].node, 1u);
    EXPECT_EQ(made.workload.cpus[0].active_power, 9u);
}

TEST(RtApp, CommentsAndLastCommas) {
    EXPECT_EQ(refusal("/* one */ {\"tasks\": {\"t\": {\"run\": 1,}, // two\n}}"), "");
}

TEST(RtApp, APeriodOfNothingIsRefused) {
    for (std::string const key : {"dl-runtime", "dl-period", "dl-deadline", "slice"}) {
        EXPECT_EQ(
            refusal("{\"tasks\": {\"t\": {\"" + key + "\": 0, \"run\": 1}}}"),
            "app.json:1: tasks.t." + key + ": 0 is not a whole number from 1 to 4503599627370");
    }
}

TEST(RtApp, UnknownKeysAreNamedWithPathAndLine) {
    EXPECT_EQ(
        refusal("{\n\"tasks\": {\n\"t\": {\n\"run\": 1,\n\"runn\": 2}}}"),
        "app.json:5: tasks.t.runn: the key 'runn' is unknown");
    EXPECT_EQ(
        refusal("{\"tasks\": {\"t\": {\"phases\": {\"p\": {\"mem\": 2}}}}}"),
        "app.json:1: tasks.t.phases.p.mem: the key 'mem' is unknown");
    EXPECT_EQ(
        refusal("{\"globl\": {}, \"tasks\": {\"t\": {\"run\": 1}}}"),
        "app.json:1: globl: the key 'globl' is unknown");
    EXPECT_EQ(
        refusal("{\"global\": {\"durtion\": 1}, \"tasks\": {\"t\": {\"run\": 1}}}"),
        "app.json:1: global.durtion: the key 'durtion' is unknown");
    EXPECT_EQ(
        refusal_of_thread(R"("timer": {"ref": "u", "period": 1, "kind": 2})"),
        "app.json:2: tasks.t.timer.kind: the key 'kind' is unknown");
    EXPECT_EQ(
        refusal("{\"machine\": {\"cores\": 1}, \"tasks\": {\"t\": {\"run\": 1}}}"),
        "app.json:1: machine.cores: the key 'cores' is unknown");
}

TEST(RtApp, MalformedText) {
    EXPECT_NE(refusal("{\n\"tasks\": {\n").find("app.json:3: "), std::string::npos);
    EXPECT_NE(refusal("{\n\"tasks\" {}}").find("app.json:2: "), std::string::npos);
    EXPECT_NE(refusal("").find("app.json:1: "), std::string::npos);
    std::string const deep = std::string(100, '[') + std::string(100, ']');
    EXPECT_EQ(refusal(deep), "app.json:1: values lie more than 64 deep");
}

TEST(RtApp, NumbersThatMakeNoSense) {
    std::string const no_number = "is not a whole number from ";
    for (std::string const& members :
         {std::string(R"("run": -1)"), std::string(R"("run": 1.5)"),
          std::string(R"("run": 9223372036854775808)"),
          std::string(R"("run": 9223372036854775807)"), std::string(R"("run": 1, "weight": 0)"),
          std::string(R"("run": 1, "weight": 9223372036854775808)"),
          std::string(R"("run": 1, "instance": 1000000)"), std::string(R"("run": 1, "loop": -2)"),
          std::string(R"("run": 1, "cpus": [64])"), std::string(R"("run": 1, "priority": 200)"),
          std::string(R"("timer": {"ref": "u", "period": 9223372036854775808})")}) {
        EXPECT_NE(refusal_of_thread(members).find(no_number), std::string::npos) << members;
    }
    EXPECT_EQ(
        refusal_of_thread(R"("timer": {"ref": "u", "period": 0})"),
        "app.json:2: tasks.t.timer.period: a period has to be longer than 0");
}

TEST(RtApp, ThingsOfTheWrongKind) {
    EXPECT_EQ(
        refusal_of_thread(R"("run": "long")"),
        "app.json:2: tasks.t.run: this is a text, and has to be a whole number");
    EXPECT_EQ(refusal("[]"), "app.json:1: this is an array, and has to be an object");
    EXPECT_EQ(
        refusal_of_thread(R"("run": 1, "policy": "SCHED_FAIR")")
            .find("app.json:2: tasks.t.policy: the policy 'SCHED_FAIR' is none of "),
        0u);
    EXPECT_EQ(
        refusal_of_thread(R"("run": 1, "timer": {"ref": "u", "period": 1, "mode": "late"})"),
        "app.json:2: tasks.t.timer.mode: 'late' is neither 'relative' nor 'absolute'");
}

TEST(RtApp, WhatIsMissing) {
    EXPECT_EQ(refusal("{}"), "app.json:1: there is no object 'tasks'");
    EXPECT_EQ(refusal("{\"tasks\": {}}"), "app.json:1: there are no threads");
    EXPECT_EQ(
        refusal_of_thread(R"("timer": {"ref": "u"})"),
        "app.json:2: tasks.t.timer: 'ref' and 'period' are needed");
    EXPECT_EQ(
        refusal_of_thread(R"("wait": {"ref": "c"})"),
        "app.json:2: tasks.t.wait: 'ref' and 'mutex' are needed");
    EXPECT_EQ(
        refusal_of_thread(R"("run": 1, "policy": "SCHED_DEADLINE")"),
        "app.json:2: tasks.t: SCHED_DEADLINE needs 'dl-runtime'");
    EXPECT_EQ(
        refusal_of_thread(R"("run": 1, "phases": {})"),
        "app.json:2: tasks.t: there are events beside the phases");
}

TEST(RtApp, ProcessorsThatAreNotThere) {
    EXPECT_EQ(
        refusal_of_thread(R"("run": 1, "cpus": [5])"),
        "thread 't' may run on none of the 2 processors");
}

TEST(RtApp, MoreThreadsThanThereMayBe) {
    EXPECT_EQ(
        refusal(
            R"({"tasks": {"a": {"instance": 60000, "run": 1},
                "b": {"instance": 60000, "run": 1}}})"),
        "more than 100000 threads (at 'b')");
}

} // namespace
