// Simulated machines whose schedules are chosen, saved and followed, and which are copied while all
// their processors run.
#include "tests/hal/hosted/trial.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using hosted::BoundedSchedule;
using hosted::Grant;
using hosted::Machine;
using hosted::PriorityChangeSchedule;
using hosted::RandomSchedule;
using hosted::SavedSchedule;
using hosted::SimMoment;
using hosted::Stop;
using hosted::test::SimulatedTrial;

/// Keeps the turns that a run was given, and the hash at each moment.
class Watcher final : public hosted::SimObserver {
public:
    void on_moment(SimMoment const& moment) override {
        EXPECT_EQ(moment.number, hashes.size() + 1);
        hashes.push_back(moment.hash);
    }
    void on_grant(Grant const& grant) override { grants.push_back(grant); }

    std::vector<u64> hashes;
    std::vector<Grant> grants;
};

TEST(SimulatedMachine, IsCopiedWhileItsProcessorsRunAndGoesOnAlike) {
    SimulatedTrial trial({.seed = 3, .cpus = 4, .command = hosted::test::busy_command});
    Watcher watcher;
    trial.engine().observe(&watcher);
    for (u64 const moments : {10u, 900u, 2'000u}) {
        trial.engine().limit({.moments = moments});
        ASSERT_EQ(trial.run().kind, Stop::Kind::paused);
        EXPECT_GE(trial.engine().counts().moments, moments);
        EXPECT_LT(trial.engine().counts().moments, moments + 10);
        hosted::Snapshot const copy = trial.machine().snapshot().value();
        std::string const said = trial.seen.text;
        trial.engine().limit({});
        EXPECT_EQ(trial.run().kind, Stop::Kind::exited) << trial.seen.text;
        u64 const hash = trial.engine().counts().hash;
        std::string const all = trial.seen.text;
        for (int again = 0; again < 2; ++again) {
            trial.seen.text = said;
            ASSERT_TRUE(trial.machine().restore(copy).has_value());
            watcher.hashes.resize(trial.engine().counts().moments);
            EXPECT_EQ(trial.run().kind, Stop::Kind::exited);
            EXPECT_EQ(trial.engine().counts().hash, hash);
            EXPECT_EQ(trial.seen.text, all);
        }
        trial.seen.text = said;
        ASSERT_TRUE(trial.machine().restore(copy).has_value());
        watcher.hashes.resize(trial.engine().counts().moments);
    }
}

TEST(SimulatedMachine, ACopyOfAnotherNumberOfProcessorsIsRefused) {
    auto const copy = [] {
        SimulatedTrial two({.cpus = 2});
        two.engine().limit({.moments = 50});
        EXPECT_EQ(two.run().kind, Stop::Kind::paused);
        return two.machine().snapshot();
    }();
    ASSERT_TRUE(copy.has_value());
    SimulatedTrial three({.cpus = 3});
    auto const refused = three.machine().restore(*copy);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().find("2 processors"), std::string::npos) << refused.error();
    EXPECT_EQ(three.run().kind, Stop::Kind::exited) << "and it is what it was";
}

TEST(SimulatedMachine, PausesAtAMomentOfItsTime) {
    SimulatedTrial whole({.seed = 8, .cpus = 2, .command = hosted::test::busy_command});
    EXPECT_EQ(whole.run().kind, Stop::Kind::exited);
    SimulatedTrial pieces(
        {.seed = 8, .cpus = 2, .window = 1, .command = hosted::test::busy_command});
    i64 limit_ns = 0;
    Stop stop{Stop::Kind::paused};
    while (stop.kind == Stop::Kind::paused) {
        limit_ns += 50'000;
        pieces.engine().limit({.time_ns = limit_ns});
        stop = pieces.run();
        EXPECT_TRUE(stop.kind != Stop::Kind::paused || pieces.engine().next_ns() >= limit_ns);
    }
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(pieces.seen.text, whole.seen.text);
}

TEST(SavedSchedule, IsTheSameRunAgain) {
    SimulatedTrial first({.seed = 4, .cpus = 3, .command = hosted::test::busy_command});
    Watcher watcher;
    first.engine().observe(&watcher);
    EXPECT_EQ(first.run().kind, Stop::Kind::exited);

    hosted::SimConfig config{.seed = 4};
    config.saved = std::make_shared<SavedSchedule>(
        std::make_shared<std::vector<Grant> const>(watcher.grants), false);
    SimulatedTrial again({.cpus = 3, .window = 1, .command = hosted::test::busy_command}, config);
    EXPECT_EQ(again.run().kind, Stop::Kind::exited);
    EXPECT_EQ(again.engine().counts().hash, first.engine().counts().hash);
    EXPECT_EQ(again.engine().objection(), "");
}

TEST(SavedSchedule, WhatDoesNotFitIsSaid) {
    hosted::SimConfig config;
    config.saved = std::make_shared<SavedSchedule>(
        std::make_shared<std::vector<Grant> const>(std::vector<Grant>{{0, 1'000}, {1, 1'000}}),
        false);
    SimulatedTrial trial({.cpus = 2}, config);
    EXPECT_EQ(trial.run().kind, Stop::Kind::exited);
    EXPECT_EQ(
        trial.engine().objection(),
        "the saved schedule does not fit: turn 2 is of processor 1, which cannot run");
}

TEST(RandomSchedule, MeetsAtAllDistances) {
    RandomSchedule schedule(1);
    std::vector<hosted::Candidate> const ready{{0, 0}, {1, 1'000}, {2, 5'000}};
    std::array<u32, 3> chosen{};
    u32 points = 0;
    for (int turn = 0; turn < 10'000; ++turn) {
        Grant const grant = schedule.choose({ready, std::nullopt, false, 0});
        ++chosen[grant.slot];
        points += grant.stretch_ns == 0 ? 1 : 0;
        EXPECT_LT(grant.stretch_ns, 4'096);
    }
    EXPECT_GT(chosen[0], 4'500u);
    EXPECT_GT(chosen[1], 4'500u);
    EXPECT_EQ(chosen[2], 0u) << "it is too far ahead";
    EXPECT_GT(points, 500u) << "some turns are a single point";
}

TEST(PriorityChangeSchedule, TheHighestRunsAloneUntilItFalls) {
    std::vector<hosted::Candidate> const ready{{0, 0}, {1, 0}, {2, 0}};
    for (u64 seed = 0; seed < 50; ++seed) {
        PriorityChangeSchedule schedule(seed, 3, 1'000);
        std::optional<u32> last;
        u32 switches = 0;
        for (int turn = 0; turn < 2'000; ++turn) {
            Grant const grant = schedule.choose({ready, last, false, 1});
            EXPECT_LE(grant.stretch_ns, 1'000'000);
            switches += last && *last != grant.slot ? 1 : 0;
            last = grant.slot;
        }
        EXPECT_LE(switches, 2u) << "as often as priorities fall";
    }
}

TEST(PriorityChangeSchedule, WhoSpinsFallsBehindAllOthers) {
    std::vector<hosted::Candidate> const ready{{0, 0}, {1, 0}};
    PriorityChangeSchedule schedule(7, 1, 1'000);
    u32 const first = schedule.choose({ready, std::nullopt, false, 0}).slot;
    EXPECT_EQ(schedule.choose({ready, first, false, 10}).slot, first);
    EXPECT_EQ(schedule.choose({ready, first, true, 10}).slot, 1 - first);
    EXPECT_EQ(schedule.choose({ready, 1 - first, true, 10}).slot, first) << "each in turn";
}

/// How often a bug of depth `depth` shows, which needs processor 0 stopped at one certain point of
/// `points` for all of the other's run, and then the other way round.
double rate_of_two_changes(u64 points, u64 seeds) {
    u64 hits = 0;
    for (u64 seed = 0; seed < seeds; ++seed) {
        PriorityChangeSchedule schedule(seed, 2, 2 * points);
        std::array<u64, 2> done{};
        std::optional<u32> last;
        bool hit = false;
        while (done[0] + done[1] < 2 * points) {
            std::vector<hosted::Candidate> ready;
            for (u32 slot : {0u, 1u}) {
                if (done[slot] < points) {
                    ready.push_back({slot, 0});
                }
            }
            Grant const grant = schedule.choose({ready, last, false, last ? 1 : 0});
            // 0 is in the middle while 1 goes from its begin to its end.
            hit = hit || (grant.slot == 1 && done[0] == points / 2 && done[1] + 1 == points);
            ++done[grant.slot];
            last = grant.slot;
        }
        hits += hit ? 1 : 0;
    }
    return static_cast<double>(hits) / static_cast<double>(seeds);
}

TEST(PriorityChangeSchedule, HitsABugOfItsDepthAsOftenAsPromised) {
    constexpr u64 points = 20;
    // n = 2 processors, k = 40 points, depth 2: at least 1 / (2 * 40).
    EXPECT_GE(rate_of_two_changes(points, 60'000), 0.9 / (2.0 * 2 * points));
}

/// All orders in which two processors of so many points each run, by the search.
std::set<std::string> all_orders(u32 preemptions, std::array<u32, 2> points, u64& runs) {
    std::set<std::string> orders;
    std::optional<BoundedSchedule::Path> path = BoundedSchedule::Path{};
    for (runs = 0; path; ++runs) {
        BoundedSchedule schedule(preemptions, *path);
        std::array<u32, 2> left = points;
        std::optional<u32> last;
        std::string order;
        while (left[0] + left[1] > 0) {
            std::vector<hosted::Candidate> ready;
            for (u32 slot : {0u, 1u}) {
                if (left[slot] > 0) {
                    ready.push_back({slot, 0});
                }
            }
            Grant const grant = schedule.choose({ready, last, false, 1});
            order += static_cast<char>('0' + grant.slot);
            --left[grant.slot];
            last = grant.slot;
        }
        orders.insert(order);
        path = BoundedSchedule::next_path(schedule.path());
    }
    return orders;
}

TEST(BoundedSchedule, VisitsEachScheduleWithSoManyPreemptionsOnce) {
    u64 runs = 0;
    // Without preemptions: who begins runs to its end. Two orders.
    EXPECT_EQ(all_orders(0, {3, 3}, runs).size(), 2u);
    EXPECT_EQ(runs, 2u);
    // All 6 over 3 interleavings of three and three points need at most four preemptions.
    EXPECT_EQ(all_orders(4, {3, 3}, runs).size(), 20u);
    EXPECT_EQ(runs, 20u) << "none twice";
    // One preemption: 2 orders without, and 2 after each of the first two points of either.
    EXPECT_EQ(all_orders(1, {3, 3}, runs).size(), 6u);
}

} // namespace
