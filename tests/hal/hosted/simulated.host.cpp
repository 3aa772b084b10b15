// Whole kernels on simulated machines: a seed is a run, wherever it runs; another seed is another
// one; time is virtual; and what can never come is said.
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

namespace {

using namespace twofold;
using hosted::MachineConfig;
using hosted::SimConfig;
using hosted::Stop;
using hosted::test::Keeper;
using hosted::test::Trial;

struct Setting {
    u64 seed = 0;
    u32 cpus = 1;
    std::string_view costs = "xeon";
    unsigned window = 0;
    std::string command = "version";
};

Trial run(Setting const& setting) {
    Trial out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = setting.cpus;
    config.window = setting.window;
    config.command_line = "console=pipe command=\"" + setting.command + "\"";
    SimConfig const sim{
        .seed = setting.seed, .costs = hosted::find_cost_table(setting.costs).value()};
    hosted::SimEngine const* engine = nullptr;
    auto machine = hosted::create_simulated(std::move(config), console, sim, &engine);
    if (!machine) {
        throw std::runtime_error(machine.error());
    }
    out.stop = (*machine)->run();
    out.counts = engine->counts();
    out.time_ns = engine->time_ns();
    return out;
}

TEST(SimulatedMachine, ASeedIsARunUnderEveryLayoutOfTheHost) {
    for (u32 const cpus : {1u, 2u, 8u}) {
        for (hosted::CostTable const& costs : hosted::cost_tables()) {
            Setting setting{
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

TEST(SimulatedMachine, TimeThatNobodyComputesInIsSkipped) {
    auto const began = std::chrono::steady_clock::now();
    // A processor that does not answer is waited for a second.
    Trial out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = 4;
    config.dead_processors = {2};
    config.command_line = "console=pipe command=\"cpus\"";
    hosted::SimEngine const* engine = nullptr;
    auto machine = hosted::create_simulated(std::move(config), console, {}, &engine);
    ASSERT_TRUE(machine.has_value());
    EXPECT_EQ((*machine)->run().kind, Stop::Kind::exited);
    EXPECT_GE(engine->time_ns(), 1'000'000'000u);
    EXPECT_NE(out.text.find("3 of 4 processors run"), std::string::npos) << out.text;
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(60));
}

TEST(SimulatedMachine, StartsOverAsItBegan) {
    Trial first;
    Keeper console(first);
    MachineConfig config;
    config.cpus = 2;
    config.command_line = "console=pipe command=\"ps\"";
    hosted::SimEngine const* engine = nullptr;
    auto machine = hosted::create_simulated(std::move(config), console, {.seed = 5}, &engine);
    ASSERT_TRUE(machine.has_value());
    EXPECT_EQ((*machine)->run().kind, Stop::Kind::exited);
    first.time_ns = engine->time_ns();
    first.counts = engine->counts();
    Trial const before = std::exchange(first, {});
    (*machine)->reset();
    EXPECT_EQ((*machine)->run().kind, Stop::Kind::exited);
    EXPECT_EQ(first.text, before.text);
    EXPECT_EQ(engine->counts().hash, before.counts.hash);
    EXPECT_EQ(engine->time_ns(), before.time_ns);
}

} // namespace
