// What goes wrong in a simulation: draws that do not depend on each other, exact occurrences,
// windows, limits and swarms.
#include "hal/hosted/sim/faults.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

namespace {

using namespace twofold;
using hosted::EngineFault;
using hosted::fault_id;
using hosted::FaultCounts;
using hosted::FaultId;
using hosted::FaultInjector;
using hosted::FaultKind;
using hosted::FaultKinds;
using hosted::FaultPlan;
using hosted::FaultRule;
using hosted::FaultUnit;

constexpr FaultId late = fault_id(EngineFault::interrupt_late);
constexpr FaultId lost = fault_id(EngineFault::interrupt_lost);
constexpr FaultId frames = fault_id(FaultPoint::frames_allocate);

FaultRule by_chance(FaultKinds const& kinds, FaultId id, double probability) {
    FaultRule rule = kinds.rule(id);
    rule.probability = probability;
    return rule;
}

FaultRule exactly(FaultKinds const& kinds, FaultId id, std::vector<u64> at) {
    FaultRule rule = kinds.rule(id);
    rule.at = std::move(at);
    return rule;
}

/// The occurrences that fire, of so many on processor 0 at moment 0.
std::vector<u64> fired(FaultInjector& injector, FaultId id, u64 occurrences) {
    std::vector<u64> hits;
    for (u64 i = 1; i <= occurrences; ++i) {
        if (injector.fires(id, 0, 0)) {
            hits.push_back(i);
        }
    }
    return hits;
}

TEST(FaultKinds, AreTheEnginesThePointsAndThoseOfDevices) {
    FaultKind const of_device[] = {{"disk.torn", "a write is torn", FaultUnit::count, 512, 0.01}};
    FaultKinds const kinds(of_device);
    EXPECT_EQ(kinds.all().size(), static_cast<usize>(EngineFault::count) + fault_points + 1);
    EXPECT_EQ(kinds.find("interrupt.lost"), lost);
    EXPECT_EQ(kinds.find("power.cut"), fault_id(EngineFault::power_cut));
    EXPECT_EQ(kinds.find("points.frames.allocate"), frames);
    EXPECT_EQ(kinds.find("points.heap.commit"), fault_id(FaultPoint::heap_commit));
    std::optional<FaultId> const torn = kinds.find("disk.torn");
    ASSERT_TRUE(torn.has_value());
    EXPECT_EQ(kinds[*torn].amount, 512u);
    EXPECT_EQ(kinds.rule(*torn).amount_high, 512u);
    EXPECT_FALSE(kinds.find("frames.allocate").has_value());
    EXPECT_FALSE(FaultKinds().find("disk.torn").has_value());

    std::set<std::string_view> names;
    for (FaultKind const& kind : kinds.all()) {
        EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
        EXPECT_FALSE(kind.about.empty()) << kind.name;
        EXPECT_EQ(kind.amount == 0, kind.unit == FaultUnit::none) << kind.name;
        EXPECT_LT(kind.swarm_probability, 0.5) << kind.name;
    }
}

TEST(FaultInjector, NothingFailsWithoutAPlan) {
    FaultInjector none;
    FaultInjector empty(FaultKinds(), {}, 3);
    for (u32 i = 0; i < FaultKinds().all().size(); ++i) {
        EXPECT_FALSE(none.can_fire(static_cast<FaultId>(i)));
        EXPECT_FALSE(empty.can_fire(static_cast<FaultId>(i)));
    }
    EXPECT_FALSE(none.fires(late, 0, 0).has_value());
    EXPECT_EQ(none.counts(late).asked, 0u);
    EXPECT_EQ(none.armed_points(), 0u);
    EXPECT_TRUE(empty.active_rules().empty());
}

TEST(FaultInjector, ExactOccurrencesAreCountedOnAllProcessorsTogether) {
    FaultKinds const kinds;
    FaultInjector injector(kinds, {.rules = {exactly(kinds, late, {2, 3, 7})}}, 1);
    std::vector<u64> hits;
    for (u64 i = 1; i <= 10; ++i) {
        if (std::optional<u64> const amount = injector.fires(late, i % 3, 0)) {
            EXPECT_EQ(*amount, kinds[late].amount);
            hits.push_back(i);
        }
        EXPECT_FALSE(injector.fires(lost, 0, 0).has_value());
    }
    EXPECT_EQ(hits, (std::vector<u64>{2, 3, 7}));
    EXPECT_EQ(injector.counts(late), (FaultCounts{10, 3, {2, 3, 7}}));
    EXPECT_EQ(injector.counts(lost).asked, 0u) << "only what can fire is counted";
    EXPECT_FALSE(injector.can_fire(lost));
    EXPECT_TRUE(injector.can_fire(late));
}

TEST(FaultInjector, SaysWhichPointsAreArmed) {
    FaultKinds const kinds;
    FaultId const commit = fault_id(FaultPoint::heap_commit);
    FaultInjector injector(
        kinds, {.rules = {exactly(kinds, commit, {1}), exactly(kinds, late, {1})}}, 1);
    EXPECT_EQ(injector.armed_points(), u64{1} << static_cast<u32>(FaultPoint::heap_commit));
    EXPECT_EQ(injector.fires(commit, 0, 0), 0u) << "points have no amount";
}

TEST(FaultInjector, AnswersAsManyAsTheProbabilitySays) {
    FaultKinds const kinds;
    constexpr u64 occurrences = 100'000;
    for (double const probability : {0.001, 0.1, 0.5, 0.9}) {
        for (u64 seed = 0; seed < 5; ++seed) {
            FaultInjector injector(kinds, {.rules = {by_chance(kinds, late, probability)}}, seed);
            double const hits = static_cast<double>(fired(injector, late, occurrences).size());
            double const mean = occurrences * probability;
            // Six standard deviations: once in a thousand million runs, and these are always the
            // same.
            double const spread = 6 * std::sqrt(mean * (1 - probability));
            EXPECT_NEAR(hits, mean, spread) << probability << ", seed " << seed;
        }
    }
    FaultInjector certain(kinds, {.rules = {by_chance(kinds, late, 1)}}, 9);
    EXPECT_EQ(fired(certain, late, 1000).size(), 1000u);
}

TEST(FaultInjector, DrawsWhatItHasAlwaysDrawn) {
    // A case that somebody has written down is to be the same one in years.
    FaultKinds const kinds;
    FaultInjector drawn(kinds, {.rules = {by_chance(kinds, late, 0.1)}}, 1);
    EXPECT_EQ(fired(drawn, late, 60), (std::vector<u64>{4, 7, 11, 42, 56}));
    FaultRule rule = exactly(kinds, late, {1, 2});
    rule.amount_high = 9'999;
    FaultInjector ranged(kinds, {.rules = {rule}}, 1);
    EXPECT_EQ(ranged.fires(late, 0, 0), 6230u);
    EXPECT_EQ(ranged.fires(late, 0, 0), 8915u);
    u64 in_force = 0;
    for (u64 seed = 0; seed < 16; ++seed) {
        FaultInjector const swarm(
            kinds, {.rules = {by_chance(kinds, late, 0.1)}, .swarm = true}, seed);
        in_force |= u64{swarm.can_fire(late)} << seed;
    }
    EXPECT_EQ(in_force, 0b0111'0011'1010'0111u);
}

TEST(FaultInjector, KeepsTheFirstThousandThatFired) {
    FaultKinds const kinds;
    FaultInjector injector(kinds, {.rules = {by_chance(kinds, late, 1)}}, 9);
    fired(injector, late, 5000);
    EXPECT_EQ(injector.counts(late).fired, 5000u);
    EXPECT_EQ(injector.counts(late).occurrences.size(), FaultCounts::occurrences_max);
    EXPECT_EQ(injector.counts(late).occurrences.back(), 1000u);
}

TEST(FaultInjector, ARuleThatIsLeftOutChangesNoOther) {
    FaultKinds const kinds;
    FaultRule const first = by_chance(kinds, lost, 0.2);
    FaultRule const second = by_chance(kinds, late, 0.3);
    FaultInjector both(kinds, {.rules = {first, second}}, 4);
    FaultInjector one(kinds, {.rules = {second}}, 4);
    std::vector<u64> with;
    for (u64 i = 1; i <= 1000; ++i) {
        both.fires(lost, 0, 0);
        both.fires(lost, 1, 0);
        if (both.fires(late, 0, 0)) {
            with.push_back(i);
        }
    }
    EXPECT_EQ(fired(one, late, 1000), with);
    EXPECT_NE(both.counts(lost).occurrences, both.counts(late).occurrences);
    FaultInjector other(kinds, {.rules = {second}}, 5);
    EXPECT_NE(fired(other, late, 1000), with) << "another seed";
}

TEST(FaultInjector, RulesOfOneKindDrawForThemselves) {
    FaultKinds const kinds;
    FaultRule rule = by_chance(kinds, late, 0.5);
    FaultInjector twice(kinds, {.rules = {rule, rule}}, 4);
    double const hits = static_cast<double>(fired(twice, late, 10'000).size());
    EXPECT_NEAR(hits, 7500, 300) << "either of two";
}

TEST(FaultInjector, WhatFiredCanBeGivenExactlyInstead) {
    FaultKinds const kinds;
    FaultRule rule = by_chance(kinds, late, 0.02);
    rule.amount_low = 1000;
    rule.amount_high = 5000;
    FaultRule same = rule;
    same.cpu = 1;
    FaultInjector drawn(kinds, {.rules = {rule, same}}, 77);
    std::vector<std::optional<u64>> amounts;
    for (u32 i = 0; i < 3000; ++i) {
        amounts.push_back(drawn.fires(late, i % 2, i));
    }
    ASSERT_GT(drawn.counts(late).fired, 20u);

    FaultRule exact = exactly(kinds, late, drawn.counts(late).occurrences);
    exact.amount_low = rule.amount_low;
    exact.amount_high = rule.amount_high;
    FaultInjector given(kinds, {.rules = {exact}}, 77);
    for (u32 i = 0; i < 3000; ++i) {
        ASSERT_EQ(given.fires(late, i % 2, i), amounts[i]) << "occurrence " << i + 1;
    }
}

TEST(FaultInjector, AmountsAreOfTheWholeRange) {
    FaultKinds const kinds;
    FaultRule rule = by_chance(kinds, late, 1);
    rule.amount_low = 10;
    rule.amount_high = 13;
    FaultInjector injector(kinds, {.rules = {rule}}, 6);
    std::vector<u64> seen(4);
    for (u32 i = 0; i < 4000; ++i) {
        u64 const amount = injector.fires(late, 0, 0).value_or(0);
        ASSERT_TRUE(amount >= 10 && amount <= 13) << amount;
        ++seen[amount - 10];
    }
    for (u64 const count : seen) {
        EXPECT_NEAR(static_cast<double>(count), 1000, 170);
    }
    rule.amount_low = 0;
    rule.amount_high = ~u64{0};
    FaultInjector widest(kinds, {.rules = {rule}}, 6);
    EXPECT_NE(widest.fires(late, 0, 0), widest.fires(late, 0, 0));
}

TEST(FaultInjector, KeepsToWindowProcessorAndLimit) {
    FaultKinds const kinds;
    FaultRule rule = by_chance(kinds, late, 1);
    rule.from_ns = 100;
    rule.until_ns = 200;
    rule.cpu = 2;
    rule.limit = 3;
    FaultInjector injector(kinds, {.rules = {rule}}, 6);
    EXPECT_FALSE(injector.fires(late, 2, 99).has_value());
    EXPECT_FALSE(injector.fires(late, 1, 100).has_value());
    EXPECT_TRUE(injector.fires(late, 2, 100).has_value());
    EXPECT_TRUE(injector.fires(late, 2, 199).has_value());
    EXPECT_FALSE(injector.fires(late, 2, 200).has_value());
    EXPECT_TRUE(injector.fires(late, 2, 150).has_value());
    EXPECT_FALSE(injector.fires(late, 2, 151).has_value()) << "thrice at most";
    EXPECT_EQ(injector.counts(late), (FaultCounts{7, 3, {3, 4, 6}}));
}

TEST(FaultInjector, ACopyGoesOnAsTheOriginal) {
    FaultKinds const kinds;
    FaultRule rule = by_chance(kinds, late, 0.3);
    rule.limit = 200;
    FaultPlan const plan{.rules = {rule, by_chance(kinds, frames, 0.01)}};
    FaultInjector original(kinds, plan, 12);
    fired(original, late, 500);
    FaultInjector copy = original;
    std::vector<u64> const went_on = fired(original, late, 500);
    EXPECT_EQ(fired(copy, late, 500), went_on);
    EXPECT_EQ(fired(copy, frames, 500), fired(original, frames, 500));
    EXPECT_EQ(copy.counts(late), original.counts(late));
    EXPECT_EQ(copy.counts(late).fired, 200u);
}

TEST(FaultInjector, ThePlansOwnSeedGoesFirst) {
    FaultKinds const kinds;
    FaultPlan plan{.rules = {by_chance(kinds, late, 0.5)}};
    FaultInjector of_run(kinds, plan, 8);
    plan.seed = 8;
    FaultInjector of_plan(kinds, plan, 9);
    EXPECT_EQ(fired(of_plan, late, 100), fired(of_run, late, 100));
}

TEST(FaultInjector, ASwarmIsASubsetByTheSeed) {
    FaultKinds const kinds;
    FaultPlan const plan{
        .rules =
            {by_chance(kinds, late, 0.1), exactly(kinds, lost, {1}), by_chance(kinds, frames, 0.1)},
        .swarm = true};
    std::set<std::vector<bool>> subsets;
    usize in_force = 0;
    for (u64 seed = 0; seed < 400; ++seed) {
        FaultInjector injector(kinds, plan, seed);
        std::vector<bool> subset;
        for (FaultRule const& rule : plan.rules) {
            subset.push_back(injector.can_fire(rule.kind));
        }
        in_force += injector.active_rules().size();
        subsets.insert(subset);
        EXPECT_EQ(
            injector.active_rules().size(), static_cast<usize>(std::ranges::count(subset, true)));
        // What is in force draws as without the swarm.
        FaultInjector all(kinds, {.rules = plan.rules}, seed);
        if (injector.can_fire(late)) {
            EXPECT_EQ(fired(injector, late, 50), fired(all, late, 50));
        }
    }
    EXPECT_EQ(subsets.size(), 8u) << "every subset comes, none and all too";
    EXPECT_NEAR(static_cast<double>(in_force), 600, 90);
}

TEST(FaultInjector, ASwarmWithoutRulesIsOfAllThatCodeHasToBear) {
    FaultKind const of_device[] = {
        {"disk.torn", "a write is torn", FaultUnit::count, 512, 0.01},
        {"disk.gone", "the device is gone", FaultUnit::none, 0, 0}};
    FaultKinds const kinds(of_device);
    std::vector<usize> on(kinds.all().size());
    for (u64 seed = 0; seed < 400; ++seed) {
        FaultInjector const injector(kinds, {.swarm = true}, seed);
        for (FaultRule const& rule : injector.active_rules()) {
            ++on[static_cast<usize>(rule.kind)];
            EXPECT_EQ(rule.probability, kinds[rule.kind].swarm_probability);
            EXPECT_EQ(rule.amount_low, kinds[rule.kind].amount);
        }
    }
    for (usize i = 0; i < on.size(); ++i) {
        FaultKind const& kind = kinds.all()[i];
        double const mean = kind.swarm_probability > 0 ? 200 : 0;
        EXPECT_NEAR(static_cast<double>(on[i]), mean, mean == 0 ? 0 : 60) << kind.name;
    }
}

} // namespace
