// The rings of simulated devices: what starts and stops them, that nothing is lost or invented when
// a ring is full or has gone round, and what becomes of a kernel that breaks the rules.
#include "tests/hal/hosted/block_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;

TEST(RingDevice, SaysWhoItIs) {
    BlockBench block({.sectors = 1000});
    EXPECT_EQ(block.bench.read_register<u32>(ring::signature), block::signature);
    EXPECT_EQ(block.bench.read_register<u32>(ring::version), ring::version_now);
    EXPECT_EQ(block.bench.read_register<u32>(ring::state), ring::state_running);
    EXPECT_EQ(block.bench.read_register<u64>(block::sectors), 1000u);
    EXPECT_EQ(block.bench.read_register<u32>(block::sector_bytes), 512u);
}

TEST(RingDevice, GoesRoundTheRing) {
    BlockBench block({.sectors = 1000});
    for (u32 i = 0; i < 100; ++i) {
        ASSERT_EQ(block.write(i, std::string(1, static_cast<char>('A' + i % 26))), 0) << i;
    }
    EXPECT_EQ(block.read(30, 3), "EFG");
    EXPECT_EQ(block.bench.interrupts(), 101u);
}

TEST(RingDevice, HoldsBackWhatHasNoRoom) {
    BlockBench block({.sectors = 1000});
    std::vector<u32> seen;
    for (u32 i = 0; i < 48; ++i) { // three rounds, and nothing is taken meanwhile
        block.submit_write(i, "x", 0, i % 16);
        block.bench.run();
    }
    for (auto all = block.bench.take(); !all.empty(); all = block.bench.take()) {
        for (ring::Completion const& each : all) {
            seen.push_back(each.token);
        }
    }
    ASSERT_EQ(seen.size(), 48u);
    for (u32 i = 0; i < 48; ++i) {
        EXPECT_EQ(seen[i], i % 16);
    }
}

TEST(RingDevice, ForgetsWhatIsInFlightWhenItIsStopped) {
    BlockBench block({.sectors = 1000});
    block.submit_write(0, "a");
    block.bench.stop();
    EXPECT_EQ(block.bench.read_register<u32>(ring::state), ring::state_stopped);
    block.bench.start();
    block.bench.run();
    EXPECT_TRUE(block.bench.take().empty());
    EXPECT_EQ(block.read(0, 1), ".");
    EXPECT_EQ(block.device.counts().writes, 0u);
}

TEST(RingDevice, FailsWhereTheKernelBreaksTheRules) {
    auto const fails = [](auto const& wrong) {
        BlockBench block({.sectors = 1000});
        block.bench.stop();
        wrong(block);
        EXPECT_EQ(block.bench.read_register<u32>(ring::state), ring::state_failed);
        block.bench.stop();
        block.bench.set_master(true);
        block.bench.start();
        EXPECT_EQ(block.write(1, "b"), 0) << "it can be used again";
    };
    fails([](BlockBench& block) {
        block.bench.write_register<u32>(ring::entries, 12);
        block.bench.write_register<u32>(ring::control, ring::control_run);
    });
    fails([](BlockBench& block) {
        block.bench.write_register<u32>(ring::entries, 512);
        block.bench.write_register<u32>(ring::control, ring::control_run);
    });
    fails([](BlockBench& block) {
        block.bench.write_register<u64>(ring::submissions, 0x1008);
        block.bench.write_register<u32>(ring::control, ring::control_run);
    });
    fails([](BlockBench& block) { // outside memory
        block.bench.write_register<u64>(ring::submissions, DeviceBench::memory_bytes);
        block.bench.write_register<u32>(ring::control, ring::control_run);
        block.bench.write_register<u32>(ring::submitted, 1);
    });
    fails([](BlockBench& block) { // a count that leaps
        block.bench.start();
        block.bench.write_register<u32>(ring::submitted, 17);
    });
    fails([](BlockBench& block) { // more than there was
        block.bench.start();
        block.bench.write_register<u32>(ring::taken, 1);
    });
    fails([](BlockBench& block) { // no bus master any more when it is complete
        block.bench.start();
        block.submit_write(0, "a");
        block.bench.set_master(false);
        block.bench.run();
    });
}

TEST(RingDevice, IsACopyThatGoesOnAlike) {
    BlockConfig const config{.sectors = 1000, .seed = 3};
    BlockBench one(config);
    EXPECT_EQ(one.write(4, "abc"), 0);
    EXPECT_EQ(one.flush(), 0);
    one.bench.plan({{DeviceFault::block_lost_write, {1}}});
    EXPECT_EQ(one.write(5, "X"), 0);
    EXPECT_EQ(one.flush(), 0);
    EXPECT_EQ(one.write(6, "cached"), 0);
    one.submit_write(20, "in flight");
    auto const state = one.device.save();
    BlockDevice other(config);
    other.load(state);
    EXPECT_EQ(other.save(), state);
    EXPECT_EQ(other.cached_writes(), 1u);
    EXPECT_EQ(other.medium().damaged(), 1u);
    other.lift_faults();
    EXPECT_EQ(BlockBench::letter_of(other.medium().read(5)), 'X');
}

} // namespace
