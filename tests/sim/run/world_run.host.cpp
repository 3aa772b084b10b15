// Cases of several machines: repeated, beside cases of one, with faults of links, and told apart.
#include "sim/run/world_run.hpp"

#include "sim/run/case_run.hpp"
#include "tests/sim/run/cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace twofold;
using namespace twofold::sim;

Case register_case(std::string const& members) {
    return case_of("\"workload\":\"register\"," + members);
}

FaultOutcome const* fault_of(Outcome const& outcome, std::string_view name) {
    auto const found = std::ranges::find(outcome.faults, name, &FaultOutcome::name);
    return found == outcome.faults.end() ? nullptr : &*found;
}

TEST(WorldRun, MachinesShareTheOperations) {
    Case const made = register_case(R"("seed":3,"operations":20,"threads":2)");
    WorldRun run(made);
    Outcome const outcome = run.run();
    EXPECT_FALSE(outcome.failure.has_value()) << outcome.failure->text;
    EXPECT_EQ(outcome.operations, Ranges::below(20));
    EXPECT_TRUE(outcome.faults.empty());
    EXPECT_FALSE(outcome.points.empty());
    // Twenty among three machines of two threads: 4, 4, 3, 3, 3 and 3.
    EXPECT_EQ(
        run.output(), "0| register: 7 operations\n1| register: 7 operations\n2| register: 6 "
                      "operations\n");
}

TEST(WorldRun, OperationsCanBeLeftOut) {
    Outcome const outcome = run_case(register_case(R"("seed":3,"keep":"1,4-6,9")"));
    EXPECT_FALSE(outcome.failure.has_value()) << outcome.failure->text;
    EXPECT_EQ(outcome.operations, Ranges::parse("1,4-6,9"));
}

TEST(WorldRun, TheSameCaseIsTheSameRunWhateverWasBefore) {
    Case const made = register_case(R"("seed":5,"faults":["link.lost:probability=0.1"])");
    Case const alone = case_of(R"("workload":"heap","seed":5,"operations":8)");
    u64 const hash = run_case(made).hash;
    EXPECT_NE(hash, run_case(register_case(R"("seed":6)")).hash);
    u64 const hash_alone = run_case(alone).hash;
    Machines machines({.window = 3, .fill = std::byte{0xa5}});
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(run_case(alone, nullptr, &machines).hash, hash_alone);
        EXPECT_EQ(run_case(made, nullptr, &machines).hash, hash);
    }
}

TEST(WorldRun, WhatFiredIsTheRunAsExactOccurrences) {
    Outcome const by_chance =
        run_case(register_case(R"("seed":5,"faults":["link.lost:probability=0.1"])"));
    FaultOutcome const* const lost = fault_of(by_chance, "link.lost");
    ASSERT_NE(lost, nullptr);
    ASSERT_GT(lost->counts.fired, 2u);
    std::string at;
    for (u64 const occurrence : lost->counts.occurrences) {
        at += (at.empty() ? "" : ",") + std::to_string(occurrence);
    }
    Outcome const exact =
        run_case(register_case(R"("seed":5,"faults":["link.lost:at=)" + at + R"("])"));
    EXPECT_EQ(exact.hash, by_chance.hash);
}

/// Every frame of one machine is lost: neither those that say hello, nor those that report, or the
/// others would not know of it.
TEST(WorldRun, FaultsHappenWhereMachinesAreAtTheirOperations) {
    Outcome const outcome =
        run_case(register_case(R"("seed":2,"faults":["link.lost:probability=1:cpu=2"])"));
    ASSERT_TRUE(outcome.failure.has_value());
    EXPECT_EQ(outcome.failure->kind, FailureKind::status);
    EXPECT_EQ(
        outcome.failure->text,
        "machine 2: status 1: register: operation 2: an operation: expected ok, came timed_out");
    EXPECT_FALSE(outcome.operations.is_empty()) << "of the others";
}

TEST(WorldRun, AllFaultsOfLinksAreBorne) {
    std::string const names[] = {"lost", "late", "duplicated", "reordered", "partition"};
    std::string rules;
    for (std::string const& name : names) {
        bool const is_rare = name == "partition";
        rules += (rules.empty() ? "" : ",") + std::string("\"link.") + name +
                 (is_rare ? ":probability=0.01\"" : ":probability=0.1\"");
    }
    std::vector<u64> fired(std::size(names));
    for (u32 seed = 1; seed <= 6; ++seed) {
        Outcome const outcome = run_case(
            register_case("\"seed\":" + std::to_string(seed) + ",\"faults\":[" + rules + "]"));
        EXPECT_FALSE(outcome.failure.has_value()) << seed << outcome.failure->text;
        for (usize i = 0; i < std::size(names); ++i) {
            FaultOutcome const* const fault = fault_of(outcome, "link." + names[i]);
            fired[i] += fault == nullptr ? 0 : fault->counts.fired;
        }
    }
    for (usize i = 0; i < std::size(names); ++i) {
        EXPECT_GT(fired[i], 0u) << names[i];
    }
}

} // namespace
