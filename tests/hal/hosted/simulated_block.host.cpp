// Kernels that use the simulated block device by their own driver: what they write outlasts the
// machine, every fault of the device reaches them, and what was flushed outlasts a power cut at any
// moment.
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "hal/hosted/sim/devices/block_device.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <memory>
#include <set>

namespace {

using namespace hosted;
using namespace hosted::test;
using enum DeviceFault;

struct Wanted {
    std::string command;
    u64 seed = 1;
    u32 cpus = 2;
    unsigned window = 0;
    std::vector<FaultRule> rules = {};
    i64 pause_ns = EventQueue::never; ///< the power is cut then
};

struct Seen : Trial {
    std::vector<u64> fired; ///< by DeviceFault
    bool says(std::string_view what) const { return text.find(what) != std::string::npos; }
};

Seen run(std::shared_ptr<BlockDevice> const& disk, Wanted const& wanted) {
    Seen out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = wanted.cpus;
    config.window = wanted.window;
    config.command_line = "console=pipe command=\"" + wanted.command + "\"";
    config.devices.push_back(disk);
    SimConfig const sim{.seed = wanted.seed, .faults = {.rules = wanted.rules}};
    auto board = Board::create(std::move(config), console);
    EXPECT_TRUE(board.has_value());
    auto made = SimEngine::create(**board, sim);
    EXPECT_TRUE(made.has_value());
    SimEngine& engine = **made;
    auto machine = Machine::create(std::move(*board), std::move(*made));
    EXPECT_TRUE(machine.has_value());
    engine.limit({.time_ns = wanted.pause_ns});
    out.stop = (*machine)->run();
    out.counts = engine.counts();
    out.time_ns = engine.time_ns();
    for (usize fault = 0; fault < device_faults; ++fault) {
        auto const id = fault_id(static_cast<DeviceFault>(fault));
        out.fired.push_back(engine.faults().can_fire(id) ? engine.faults().counts(id).fired : 0);
    }
    return out;
}

std::shared_ptr<BlockDevice> make_disk(BlockConfig const& config = {.sectors = 2000}) {
    return std::make_shared<BlockDevice>(config);
}

FaultRule rule(DeviceFault fault, std::vector<u64> at, u64 amount = 0) {
    FaultRule made = FaultKinds(device_fault_kinds()).rule(fault_id(fault));
    made.at = std::move(at);
    if (amount != 0) {
        made.amount_low = made.amount_high = amount;
    }
    return made;
}

TEST(SimulatedBlock, OutlastsTheMachine) {
    for (u32 const sector_bytes : {512u, 4096u}) {
        auto const disk = make_disk({.sectors = 2000, .sector_bytes = sector_bytes});
        Seen const first = run(disk, {"block write 7 hello; block flush"});
        EXPECT_EQ(first.stop.status, 0) << first.text;
        Seen const second = run(disk, {"block info; block read 7"});
        EXPECT_TRUE(second.says("sector 7: 'hello', 5 bytes are not zero")) << second.text;
        EXPECT_TRUE(second.says(fmt::format("2000 sectors of {} bytes", sector_bytes)));
        EXPECT_EQ(disk->counts().power_cuts, 2u);
    }
}

TEST(SimulatedBlock, RefusesWhatMakesNoSense) {
    auto const disk = make_disk();
    EXPECT_TRUE(run(disk, {"block read 2000"}).says("failed: out_of_range"));
    Seen const unknown = run(disk, {"block burn"});
    EXPECT_EQ(unknown.stop.status, 2);
    EXPECT_TRUE(unknown.says("usage: block info")) << unknown.text;
}

TEST(SimulatedBlock, ManyRequestsAreTheSameRunEverywhere) {
    std::set<u64> hashes;
    for (u64 seed = 1; seed <= 5; ++seed) {
        Wanted wanted{.command = "block test 300", .seed = seed, .cpus = 3};
        Seen const first = run(make_disk(), wanted);
        EXPECT_EQ(first.stop.status, 0) << first.text;
        wanted.window = 1;
        EXPECT_EQ(run(make_disk(), wanted), first);
        hashes.insert(first.counts.hash);
    }
    EXPECT_EQ(hashes.size(), 5u);
}

/// One fault on a run of `block test`, and what the kernel says then.
struct Case {
    DeviceFault fault;
    u64 at;
    u64 amount;
    std::string_view says;
    u8 status;
};

TEST(SimulatedBlock, EveryFaultReachesTheKernel) {
    // Of the test's 64 writes, one flush and 64 reads.
    constexpr Case cases[] = {
        {block_torn_write, 5, 0, "0 requests failed, 1 sectors are wrong", 1},
        {block_lost_write, 5, 0, "0 requests failed, 1 sectors are wrong", 1},
        {block_misdirected_write, 5, 0, "0 requests failed, 1 sectors are wrong", 1},
        {block_misdirected_read, 5, 0, "0 requests failed, 1 sectors are wrong", 1},
        {block_stale_read, 5, 0, "0 requests failed, 1 sectors are wrong", 1},
        {block_bit_rot, 5, 9, "0 requests failed, 1 sectors are wrong", 1},
        {block_zeroed, 5, 0, "0 requests failed, 1 sectors are wrong", 1},
        {block_read_error, 5, 0, "1 requests failed, 1 sectors are wrong", 1},
        {block_write_error, 5, 0, "1 requests failed, 1 sectors are wrong", 1},
        {block_late, 5, 30'000'000, "0 requests failed, 0 sectors are wrong", 0},
        {block_lost_completion, 5, 0, "1 timed out, 1 restarts", 1},
        {block_duplicate_completion, 5, 0, "1 completions unexpected", 0},
        {block_flush_ignored, 1, 0, "0 requests failed, 0 sectors are wrong", 0},
        {block_reordered, 5, 0, "0 requests failed, 0 sectors are wrong", 0},
    };
    std::set<DeviceFault> shown;
    u64 const usual_ns = run(make_disk(), {"block test 64"}).time_ns;
    for (Case const& each : cases) {
        auto const disk = make_disk();
        std::string_view const name = device_fault_kinds()[static_cast<usize>(each.fault)].name;
        Seen const seen =
            run(disk,
                {.command = "block test 64", .rules = {rule(each.fault, {each.at}, each.amount)}});
        EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << name << seen.text;
        EXPECT_EQ(seen.stop.status, each.status) << name << seen.text;
        EXPECT_TRUE(seen.says(each.says)) << name << seen.text;
        EXPECT_EQ(seen.fired[static_cast<usize>(each.fault)], 1u) << name;
        if (each.fault == block_late) {
            EXPECT_GT(seen.time_ns, usual_ns + 29'000'000);
        }
        if (each.fault == block_flush_ignored) {
            EXPECT_EQ(disk->cached_writes(), 64u) << "a true flush leaves none";
        }
        shown.insert(each.fault);
        disk->lift_faults();
        EXPECT_EQ(disk->medium().damaged(), 0u);
    }
    EXPECT_EQ(shown.size(), static_cast<usize>(link_lost)) << "each of the block device's";
}

TEST(SimulatedBlock, BearsManyFaultsAtOnceThatLoseNothing) {
    for (u64 seed = 1; seed <= 10; ++seed) {
        std::vector<FaultRule> rules;
        for (DeviceFault const fault : {block_late, block_reordered, block_duplicate_completion}) {
            rules.push_back(rule(fault, {}));
            rules.back().probability = 0.2;
        }
        Seen const seen = run(
            make_disk(), {.command = "block test 200", .seed = seed, .cpus = 4, .rules = rules});
        EXPECT_EQ(seen.stop.status, 0) << seed << seen.text;
        EXPECT_TRUE(seen.says("0 timed out, 0 restarts")) << seen.text;
    }
}

TEST(SimulatedBlock, LostCompletionsEndEachRequestOnce) {
    std::vector<FaultRule> rules{rule(block_lost_completion, {})};
    rules.back().probability = 0.05;
    for (u64 seed = 1; seed <= 5; ++seed) {
        Seen const seen = run(
            make_disk(), {.command = "block test 100", .seed = seed, .cpus = 4, .rules = rules});
        EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << seen.text;
        u64 const fired = seen.fired[static_cast<usize>(block_lost_completion)];
        EXPECT_GT(fired, 0u);
        // Who lost its completion may be submitted again by another one's restart, and succeed.
        EXPECT_TRUE(seen.says(" restarts")) << seen.text;
        EXPECT_FALSE(seen.says(" 0 timed out")) << seen.text;
    }
}

/// How many times the text says it.
usize count_of(std::string_view text, std::string_view what) {
    usize count = 0;
    for (usize at = text.find(what); at != text.npos; at = text.find(what, at + 1)) {
        ++count;
    }
    return count;
}

TEST(SimulatedBlock, APowerCutAtAnyMomentKeepsWhatWasFlushed) {
    std::string command;
    constexpr u32 epochs = 6;
    for (u32 i = 0; i < epochs; ++i) {
        command += fmt::format("block write {0} epoch{0}; block flush; ", i);
    }
    command += "block info";
    i64 const whole_ns = static_cast<i64>(run(make_disk(), {command}).time_ns);
    u32 cut_between = 0;
    for (i64 at_ns = whole_ns / 2; at_ns < whole_ns; at_ns += 37'000) {
        auto const disk = make_disk({.sectors = 2000, .seed = static_cast<u64>(at_ns)});
        Seen const cut = run(disk, {.command = command, .pause_ns = at_ns});
        EXPECT_EQ(cut.stop.kind, Stop::Kind::paused) << cut.text;
        usize const acknowledged = count_of(cut.text, "done") / 2; // a write and a flush each
        std::string reads = "block read 0";
        for (u32 i = 1; i < epochs; ++i) {
            reads += fmt::format("; block read {}", i);
        }
        Seen const after = run(disk, {reads});
        for (u32 i = 0; i < epochs; ++i) {
            bool const is_there = after.says(fmt::format("sector {0}: 'epoch{0}'", i));
            EXPECT_TRUE(is_there || i >= acknowledged) << after.text << " cut at " << at_ns;
            EXPECT_TRUE(!is_there || i <= acknowledged) << after.text << " cut at " << at_ns;
        }
        cut_between += acknowledged != 0 && acknowledged != epochs ? 1 : 0;
    }
    EXPECT_GT(cut_between, 10u);
}

TEST(SimulatedBlock, PausesChangeNothing) {
    auto const whole = run(make_disk(), {"block test 100"});
    Seen out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = 2;
    config.command_line = "console=pipe command=\"block test 100\"";
    config.devices.push_back(make_disk());
    auto board = Board::create(std::move(config), console);
    ASSERT_TRUE(board.has_value());
    auto made = SimEngine::create(**board, {.seed = 1});
    ASSERT_TRUE(made.has_value());
    SimEngine& engine = **made;
    auto machine = Machine::create(std::move(*board), std::move(*made));
    ASSERT_TRUE(machine.has_value());
    u32 pauses = 0;
    for (i64 at_ns = 1000; out.stop.kind != Stop::Kind::exited; at_ns += 11'000) {
        engine.limit({.time_ns = at_ns});
        out.stop = (*machine)->run();
        ASSERT_TRUE(out.stop.kind == Stop::Kind::paused || out.stop.kind == Stop::Kind::exited);
        EXPECT_GE(engine.next_ns(), out.stop.kind == Stop::Kind::paused ? at_ns : 0);
        ++pauses;
    }
    EXPECT_GT(pauses, 100u);
    EXPECT_EQ(engine.counts().hash, whole.counts.hash);
    EXPECT_EQ(out.text, whole.text);
}

} // namespace
