// Each kind of fault of the engine, happening to a kernel: it fires, is counted, changes the run as
// it should, and leaves everything else alone.
#include "tests/hal/hosted/trial.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using hosted::EngineFault;
using hosted::FaultId;
using hosted::FaultKinds;
using hosted::FaultRule;
using hosted::SimConfig;
using hosted::Stop;
using hosted::test::SimulatedTrial;

FaultRule rule(std::string_view name, double probability, std::vector<u64> at = {}) {
    FaultKinds const kinds;
    FaultRule made = kinds.rule(kinds.find(name).value());
    made.probability = probability;
    made.at = std::move(at);
    return made;
}

SimConfig config_with(FaultRule const& rule, u64 seed = 1) {
    SimConfig config{.seed = seed};
    config.faults.rules = {rule};
    return config;
}

struct FaultyRun {
    Stop stop;
    u64 hash;
    u64 time_ns;
    u64 fired;
    std::string text;
};

FaultyRun
run(SimConfig const& config,
    FaultId id,
    std::string const& command = hosted::test::busy_command,
    u32 cpus = 4) {
    SimulatedTrial trial({.cpus = cpus, .command = command}, config);
    Stop const stop = trial.run();
    return {
        stop, trial.engine().counts().hash, trial.engine().time_ns(),
        trial.engine().faults().counts(id).fired, trial.seen.text};
}

/// What right code has to bear, it bears.
TEST(EngineFaults, AKernelBearsWhatHardwareMayDo) {
    u64 const plain = run({.seed = 1}, hosted::fault_id(EngineFault::timer_jitter)).hash;
    for (auto const& [name, probability] :
         {std::pair("timer.jitter", 0.5), std::pair("cpu.stalled", 0.01),
          std::pair("cpu.slow", 0.05), std::pair("message.late", 0.5),
          std::pair("message.duplicated", 0.5), std::pair("entropy.repeated", 1.0)}) {
        FaultId const id = FaultKinds().find(name).value();
        FaultyRun const seen = run(config_with(rule(name, probability)), id);
        EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << name << seen.text;
        EXPECT_EQ(seen.stop.status, 0) << name << seen.text;
        EXPECT_EQ(run(config_with(rule(name, probability)), id).hash, seen.hash) << name;
        if (std::string_view(name) != "entropy.repeated") { // nobody there asks for any
            EXPECT_GT(seen.fired, 0u) << name;
            EXPECT_NE(seen.hash, plain) << name;
        }
    }
}

TEST(EngineFaults, AMessageThatIsLostIsWaitedForInVain) {
    FaultId const id = hosted::fault_id(EngineFault::message_lost);
    SimConfig config = config_with(rule("message.lost", 1));
    SimulatedTrial trial({.cpus = 4, .command = "scenario calls"}, config);
    // A kernel that waits for ever spins, so time goes on: to a limit.
    trial.engine().limit({.time_ns = 200'000'000});
    Stop const stop = trial.run();
    EXPECT_NE(stop.kind, Stop::Kind::exited) << trial.seen.text;
    EXPECT_GT(trial.engine().faults().counts(id).fired, 0u);
}

TEST(EngineFaults, StallsAndSlownessTakeTime) {
    u64 const usual = run({.seed = 1}, {}).time_ns;
    FaultRule stall = rule("cpu.stalled", 0, {1'000});
    stall.amount_low = stall.amount_high = 50'000'000;
    EXPECT_GE(run(config_with(stall), stall.kind).time_ns, usual + 40'000'000);
}

TEST(EngineFaults, PowerThatIsCutComesBackWhereTheRunWas) {
    FaultRule const cut = rule("power.cut", 0, {700, 1'500});
    SimulatedTrial trial({.cpus = 2, .command = hosted::test::busy_command}, config_with(cut));
    u64 time_ns = 0;
    for (int cuts = 0; cuts < 2; ++cuts) {
        ASSERT_EQ(trial.run().kind, Stop::Kind::power_cut);
        EXPECT_GT(trial.engine().time_ns(), time_ns);
        time_ns = trial.engine().time_ns();
        trial.machine().reset();
        EXPECT_EQ(trial.engine().time_ns(), time_ns) << "time goes on";
    }
    trial.seen.text.clear();
    EXPECT_EQ(trial.run().kind, Stop::Kind::exited);
    EXPECT_NE(trial.seen.text.find("main"), std::string::npos)
        << "a whole boot: " << trial.seen.text;
    EXPECT_EQ(trial.engine().faults().counts(cut.kind).fired, 2u);
}

TEST(EngineFaults, PointsOfTheKernelFailWhereTheyAreTold) {
    FaultRule const at_first = rule("points.frames.allocate", 0, {1});
    FaultId const id = at_first.kind;
    SimConfig marked = config_with(at_first);
    marked.faults_where_marked = true;
    FaultyRun const outside = run(marked, id, "ps");
    EXPECT_EQ(outside.fired, 0u) << "no workload has marked anything";
    EXPECT_EQ(outside.stop.status, 0);
}

TEST(EngineFaults, ACopyGoesOnWithTheSameFaults) {
    SimulatedTrial trial(
        {.cpus = 4, .command = hosted::test::busy_command}, config_with(rule("message.late", 0.5)));
    trial.engine().limit({.moments = 1'500});
    ASSERT_EQ(trial.run().kind, Stop::Kind::paused);
    auto const copy = trial.machine().snapshot().value();
    trial.engine().limit({});
    trial.run();
    u64 const hash = trial.engine().counts().hash;
    ASSERT_TRUE(trial.machine().restore(copy).has_value());
    trial.run();
    EXPECT_EQ(trial.engine().counts().hash, hash);
}

TEST(EngineOracles, SayThatAProcessorTakesNoInterrupt) {
    // A processor that is held up for longer than any kernel keeps its interrupts disabled.
    FaultRule slow = rule("cpu.slow", 1);
    slow.amount_low = slow.amount_high = 10'000'000;
    SimConfig config = config_with(slow);
    config.has_oracles = true;
    SimulatedTrial trial({.cpus = 4, .command = hosted::test::busy_command}, config);
    EXPECT_EQ(trial.run().kind, Stop::Kind::objected);
    EXPECT_NE(
        trial.engine().complaint().find("has taken no interrupt for 100 ms"), std::string::npos)
        << trial.engine().complaint();
}

TEST(EngineOracles, HaveNothingToSayOfARightKernel) {
    for (u64 seed = 0; seed < 20; ++seed) {
        SimConfig config{.seed = seed};
        config.has_oracles = true;
        SimulatedTrial trial({.cpus = 4, .command = hosted::test::busy_command}, config);
        EXPECT_EQ(trial.run().kind, Stop::Kind::exited) << trial.engine().complaint();
    }
}

} // namespace
