// Whole kernels on simulated machines: a seed is a run, wherever it runs; another seed is another
// one; time is virtual; and what can never come is said.
#include "tests/hal/hosted/trial.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace twofold;
using hosted::MachineConfig;
using hosted::Stop;
using hosted::test::Keeper;
using hosted::test::SimulatedTrial;
using hosted::test::Trial;
using hosted::test::TrialSetting;

Trial run(TrialSetting const& setting) {
    SimulatedTrial trial(setting);
    trial.seen.stop = trial.run();
    trial.seen.counts = trial.engine().counts();
    trial.seen.time_ns = trial.engine().time_ns();
    return trial.seen;
}

TEST(SimulatedMachine, ASeedIsARunUnderEveryLayoutOfTheHost) {
    for (u32 const cpus : {1u, 2u, 8u}) {
        for (hosted::CostTable const& costs : hosted::cost_tables()) {
            TrialSetting setting{
                .seed = 11, .cpus = cpus, .costs = costs.name, .command = "scenario inversion; ps"};
            Trial const first = run(setting);
            EXPECT_EQ(first.stop.kind, Stop::Kind::exited) << first.text;
            EXPECT_EQ(first.stop.status, 0) << first.text;
            EXPECT_GT(first.counts.turns, 100u);
            // Other addresses of everything that the host allocates.
            auto const elsewhere = std::make_unique<std::array<char, 12'345'678>>();
            EXPECT_EQ(run(setting), first) << cpus << " processors, " << costs.name;
            setting.window = 1;
            EXPECT_EQ(run(setting), first) << cpus << " processors, " << costs.name << ", window 1";
        }
    }
}

TEST(SimulatedMachine, OtherSeedsAreOtherRuns) {
    std::set<u64> hashes;
    std::set<u64> times;
    for (u64 seed = 0; seed < 20; ++seed) {
        Trial const seen = run({.seed = seed, .cpus = 4});
        EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << seen.text;
        hashes.insert(seen.counts.hash);
        times.insert(seen.time_ns);
    }
    EXPECT_EQ(hashes.size(), 20u);
    EXPECT_GT(times.size(), 1u) << "processors meet at other moments";
}

TEST(SimulatedMachine, CostsChangeHowLongARunIs) {
    u64 const usual = run({.cpus = 2, .costs = "xeon"}).time_ns;
    u64 const slow = run({.cpus = 2, .costs = "slow-memory"}).time_ns;
    EXPECT_GT(slow, 2 * usual);
    EXPECT_FALSE(hosted::find_cost_table("free").has_value());
}

TEST(SimulatedMachine, CostsBelowANanosecondAddUp) {
    hosted::VirtualTime time;
    time.grant(100, 102);
    EXPECT_EQ(time.now_ns(), 100);
    time.left -= 1;
    EXPECT_EQ(time.now_ns(), 101); // it has begun
    time.left -= 255;
    EXPECT_EQ(time.now_ns(), 101);
    time.left -= 1;
    EXPECT_EQ(time.now_ns(), 102);
    EXPECT_GE(time.left, 0);
    time.grant(102, 104); // with 255 parts of the last one
    time.left -= 255;
    EXPECT_EQ(time.now_ns(), 102);
    time.pass(2);
    EXPECT_GE(time.left, 0);
    time.left -= 1;
    EXPECT_LT(time.left, 0);
    EXPECT_EQ(time.now_ns(), 105);
}

TEST(SimulatedMachine, TimeThatNobodyComputesInIsSkipped) {
    auto const began = std::chrono::steady_clock::now();
    // A processor that does not answer is waited for a second.
    Trial out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = 4;
    config.dead_processors = {2};
    config.command_line = "console=pipe command=\"cpus\"";
    hosted::SimEngine* engine = nullptr;
    auto machine = hosted::create_simulated(std::move(config), console, {}, &engine);
    ASSERT_TRUE(machine.has_value());
    EXPECT_EQ((*machine)->run().kind, Stop::Kind::exited);
    EXPECT_GE(engine->time_ns(), 1'000'000'000u);
    EXPECT_NE(out.text.find("3 of 4 processors run"), std::string::npos) << out.text;
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(60));
}

TEST(SimulatedMachine, StartsOverAsItBegan) {
    SimulatedTrial trial({.seed = 5, .cpus = 2, .command = "ps"});
    EXPECT_EQ(trial.run().kind, Stop::Kind::exited);
    u64 const time_ns = trial.engine().time_ns();
    u64 const hash = trial.engine().counts().hash;
    std::string const said = std::exchange(trial.seen.text, {});
    trial.machine().reset();
    EXPECT_EQ(trial.run().kind, Stop::Kind::exited);
    EXPECT_EQ(trial.seen.text, said);
    EXPECT_EQ(trial.engine().counts().hash, hash);
    EXPECT_EQ(trial.engine().time_ns(), time_ns);
}

} // namespace
