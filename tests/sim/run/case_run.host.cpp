// Cases as runs: repeated, explored to the last schedule, watched by several.
#include "sim/run/case_run.hpp"

#include "sim/mutants/mutants.hpp"
#include "sim/record/schedule_file.hpp"
#include "sim/record/watchers.hpp"
#include "sim/run/build_id.hpp"
#include "tests/sim/run/cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace twofold;
using namespace twofold::sim;

TEST(CaseRun, TheSameCaseIsTheSameRun) {
    for (WorkloadKind const& workload : own_catalogue().workloads) {
        std::string const members =
            "\"workload\":\"" + std::string(workload.name) + "\",\"operations\":8,\"seed\":";
        Outcome const first = run_case(case_of(members + "5"));
        EXPECT_FALSE(first.failure.has_value()) << workload.name << ": " << first.failure->text;
        Outcome const second = run_case(case_of(members + "5"));
        EXPECT_EQ(first.hash, second.hash) << workload.name;
        EXPECT_EQ(first.events, second.events) << workload.name;
        // On one processor, edges that take no time may leave two seeds the same events.
        if (workload.cpus > 1) {
            EXPECT_NE(first.hash, run_case(case_of(members + "6")).hash) << workload.name;
        }
    }
}

TEST(CaseRun, TheBuildHasAName) {
    EXPECT_EQ(build_id().size(), 40u);
    EXPECT_EQ(build_id().find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(build_id(), own_catalogue().build);
}

TEST(CaseRun, ExplorationMeetsAllSchedules) {
    std::string const members = R"("workload":"locks","seed":1,"operations":1,"schedule":)";
    Exploration none;
    EXPECT_FALSE(run_case(case_of(members + R"("exhaustive:0")"), &none).failure.has_value());
    EXPECT_TRUE(none.all);
    Exploration first;
    Outcome const outcome = run_case(case_of(members + R"("exhaustive:1")"), &first);
    EXPECT_FALSE(outcome.failure.has_value()) << outcome.failure->text;
    EXPECT_TRUE(first.all);
    EXPECT_GT(first.schedules, none.schedules);
    Exploration second;
    EXPECT_EQ(run_case(case_of(members + R"("exhaustive:1")"), &second).hash, outcome.hash);
    EXPECT_EQ(second.schedules, first.schedules);
}

TEST(CaseRun, WhatAnExplorationEndsWithCanBeKept) {
    Case const made =
        case_of(R"("workload":"locks","seed":1,"operations":1,"schedule":"exhaustive:1")");
    Exploration exploration;
    Outcome const found = run_case(made, &exploration);
    EXPECT_GT(exploration.schedules, 1u);
    // Its path alone leads there, and so does its schedule as text.
    GrantKeeper keeper;
    {
        CaseRun again(made);
        again.engine().explore(hosted::BoundedSchedule(1, exploration.last));
        again.engine().observe(&keeper);
        ASSERT_TRUE(again.run());
        EXPECT_EQ(again.outcome().hash, found.hash);
    }
    CaseRun followed(made, parse_schedule_text("x", schedule_text(keeper.grants(), true)));
    ASSERT_TRUE(followed.run());
    EXPECT_EQ(followed.outcome().hash, found.hash);
    EXPECT_FALSE(followed.outcome().failure.has_value());
}

TEST(CaseRun, AnExplorationEndsWithTheFirstFailure) {
    std::string const line =
        R"({"id":1,"workload":"heap","seed":1,"keep":"79","mutant":"heap_double_free",)"
        R"("schedule":"exhaustive:1"})";
    auto const made = parse_case(line, own_catalogue());
    ASSERT_EQ(made.has_value(), !mutant_names().empty()) << "where nothing can be flipped";
    if (!made) {
        return;
    }
    Exploration exploration;
    Outcome const found = run_case(*made, &exploration);
    ASSERT_TRUE(found.failure.has_value());
    EXPECT_EQ(found.failure->kind, FailureKind::status);
    EXPECT_EQ(exploration.schedules, 1u);
}

TEST(Watchers, AllAreTold) {
    MomentKeeper some(10, 12);
    MomentKeeper all(1, ~u64{0});
    GrantKeeper grants;
    Watchers watchers;
    EXPECT_EQ(watchers.get(), nullptr);
    watchers.add(some);
    watchers.add(all);
    watchers.add(grants);
    ASSERT_EQ(watchers.get(), &watchers);
    Case const made = case_of(R"("workload":"heap","seed":3,"operations":4)");
    Outcome const alone = run_case(made);
    CaseRun run(made);
    run.engine().observe(watchers.get());
    ASSERT_TRUE(run.run());
    Outcome const outcome = run.outcome();
    EXPECT_EQ(alone.hash, outcome.hash); // who watches changes nothing
    ASSERT_EQ(all.moments().size(), outcome.events);
    ASSERT_EQ(some.moments().size(), 3u);
    EXPECT_EQ(some.moments().front().number, 10u);
    EXPECT_EQ(all.moments().back().hash, outcome.hash);
    u64 number = 0;
    for (hosted::SimMoment const& moment : all.moments()) {
        ASSERT_EQ(moment.number, ++number);
        ASSERT_LE(moment.since_ns, moment.at_ns);
    }
    auto const turns =
        std::ranges::count(all.moments(), hosted::SimMoment::Kind::turn, &hosted::SimMoment::kind);
    EXPECT_EQ(static_cast<u64>(turns), run.engine().counts().turns);
    // A turn that a deadline has kept from beginning is given, and is no moment.
    EXPECT_GE(grants.grants().size(), static_cast<usize>(turns));
}

} // namespace
