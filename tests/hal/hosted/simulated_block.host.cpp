// Kernels that use the simulated block device by their own driver: what they write outlasts the
// machine, every fault of the device reaches them, and what was flushed outlasts a power cut at any
// moment.
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "hal/hosted/sim/devices/block_device.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstring>
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

/// How many times the text says it.
usize count_of(std::string_view text, std::string_view what) {
    usize count = 0;
    for (usize at = text.find(what); at != text.npos; at = text.find(what, at + 1)) {
        ++count;
    }
    return count;
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

TEST(SimulatedBlock, IsOpenedAgainWithoutALoss) {
    // More often than there are vectors that a driver could take each time. What is freed stays in
    // the heap's caches, so blocks are counted, once the kernel has all that it keeps.
    constexpr u32 times = 30;
    std::string command = "block write 3 kept; block flush; block close; ";
    for (u32 i = 0; i < 2 * times; ++i) {
        command += i == times ? "heap; " : "";
        command += "block read 3; block close; ";
    }
    Seen const seen = run(make_disk(), {command + "heap"});
    EXPECT_EQ(seen.stop.status, 0) << seen.text;
    EXPECT_EQ(count_of(seen.text, "sector 3: 'kept'"), 2 * times);
    auto const blocks = [&](usize from) {
        constexpr std::string_view name = "in blocks";
        usize const line = seen.text.find(name, from);
        return line != std::string::npos ? std::stoull(seen.text.substr(line + name.size())) : 0;
    };
    usize const last = seen.text.rfind("sector 3");
    ASSERT_NE(last, std::string::npos);
    constexpr u64 smallest_block = 16;
    EXPECT_GT(blocks(0), 0u);
    EXPECT_LT(blocks(last), blocks(0) + times * smallest_block) << seen.text;
}

TEST(SimulatedBlock, RefusesWhatMakesNoSense) {
    auto const disk = make_disk();
    EXPECT_TRUE(run(disk, {"block read 2000"}).says("failed: out_of_range"));
    Seen const unknown = run(disk, {"block burn"});
    EXPECT_EQ(unknown.stop.status, 2);
    EXPECT_TRUE(unknown.says("'burn' is no WHAT; one of: info read")) << unknown.text;
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
    EXPECT_EQ(shown.size(), device_faults - static_cast<usize>(block_torn_write))
        << "each of the block device's";
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

/// What happens in a run that pauses every `every_ns`; 0: that does not.
std::vector<SimMoment> moments_with_pauses(i64 every_ns, u64 seed) {
    struct Moments final : SimObserver {
        void on_moment(SimMoment const& moment) override { moments.push_back(moment); }
        void on_grant(Grant const&) override {}
        std::vector<SimMoment> moments;
    } watcher;
    Trial out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = 2;
    config.command_line = "console=pipe command=\"block test 100\"";
    config.devices.push_back(make_disk());
    SimEngine* engine = nullptr;
    auto machine = create_simulated(std::move(config), console, {.seed = seed}, &engine);
    EXPECT_TRUE(machine.has_value());
    engine->observe(&watcher);
    u32 pauses = 0;
    Stop stop{Stop::Kind::paused};
    for (i64 at_ns = 1000; stop.kind == Stop::Kind::paused; at_ns += every_ns) {
        engine->limit({.time_ns = every_ns == 0 ? EventQueue::never : at_ns});
        stop = (*machine)->run();
        EXPECT_GE(engine->next_ns(), stop.kind == Stop::Kind::paused ? at_ns : 0);
        ++pauses;
    }
    EXPECT_EQ(stop.kind, Stop::Kind::exited) << out.text;
    EXPECT_TRUE(every_ns == 0 || pauses > 100);
    return watcher.moments;
}

TEST(SimulatedBlock, PausesChangeNothing) {
    for (u64 seed = 1; seed <= 10; ++seed) {
        std::vector<SimMoment> const whole = moments_with_pauses(0, seed);
        std::vector<SimMoment> const cut =
            moments_with_pauses(11'000 - static_cast<i64>(seed), seed);
        for (usize i = 0; i < std::min(whole.size(), cut.size()); ++i) {
            ASSERT_EQ(whole[i].hash, cut[i].hash)
                << "seed " << seed << ": moment " << i << ": from " << whole[i].since_ns << " to "
                << whole[i].at_ns << " on " << whole[i].slot << " by " << whole[i].value
                << "; with pauses from " << cut[i].since_ns << " to " << cut[i].at_ns << " on "
                << cut[i].slot << " by " << cut[i].value;
        }
        EXPECT_EQ(whole.size(), cut.size());
    }
}

/// Gives a kernel what is typed, line by line, and then nothing for a while.
class Typed final : public ConsoleEndpoint {
public:
    void write(std::string_view piece) override { text += piece; }
    hal::ConsoleInput read() override {
        if (input.empty()) {
            return {hal::InputStatus::none, '\0'};
        }
        char const next = input.front();
        input.erase(0, 1);
        return {hal::InputStatus::byte, next};
    }
    void write_result(std::span<std::byte const>) override {}

    std::string input;
    std::string text;
};

TEST(SimulatedBlock, ASnapshotHoldsTheDisk) {
    Typed console;
    auto const disk = make_disk();
    MachineConfig config;
    config.command_line = "console=pipe";
    config.devices.push_back(disk);
    auto machine = create_simulated(std::move(config), console, {.seed = 4});
    ASSERT_TRUE(machine.has_value());
    auto const type = [&](std::string_view line) {
        console.input = line;
        console.text.clear();
        EXPECT_EQ((*machine)->run().kind, Stop::Kind::waiting_for_input) << console.text;
        return console.text;
    };
    type("block write 3 first\n");
    auto const copy = (*machine)->snapshot();
    ASSERT_TRUE(copy.has_value()) << copy.error();
    EXPECT_EQ(copy->devices.size(), 1u);
    type("block write 3 second; block flush\n");
    EXPECT_EQ(disk->cached_writes(), 0u);
    ASSERT_TRUE((*machine)->restore(*copy).has_value());
    EXPECT_EQ(disk->cached_writes(), 1u);
    EXPECT_NE(type("block read 3\n").find("'first'"), std::string::npos) << console.text;
    Snapshot other = *copy;
    other.devices.clear();
    EXPECT_EQ(
        (*machine)->restore(other).error(),
        "the snapshot is of a machine with 0 devices, this one has 1");
}

/// Looks like a block device, never completes anything, and does not start again.
class Dead final : public PciDevice {
public:
    PciIdentity identity() const override {
        return {.device = block::device_id, .class_and_revision = block::class_and_revision};
    }
    void power_on(std::span<std::byte> registers) override {
        put(registers, ring::signature, block::signature);
        put(registers, ring::version, ring::version_now);
        put(registers, block::sectors, u64{100});
        put(registers, block::sector_bytes, 512u);
        put(registers, block::sectors_max, 16u);
    }
    void written(DeviceBus& bus, u64 offset) override {
        if (offset == ring::control) {
            u32 wanted;
            std::memcpy(&wanted, bus.registers().data() + offset, sizeof(wanted));
            starts += wanted;
            bool const runs = wanted == ring::control_run && starts == 1;
            put(bus.registers(), ring::state, runs ? ring::state_running : ring::state_stopped);
        }
    }
    void due(DeviceBus&, u64) override {}
    std::vector<std::byte> save() const override { return {}; }
    void load(std::span<std::byte const>) override {}

    u32 starts = 0;

private:
    template<class T>
    static void put(std::span<std::byte> registers, u64 offset, T value) {
        std::memcpy(registers.data() + offset, &value, sizeof(value));
    }
};

TEST(SimulatedBlock, ADeadDeviceLeavesNobodyWaiting) {
    Trial out;
    Keeper console(out);
    auto const dead = std::make_shared<Dead>();
    MachineConfig config;
    config.cpus = 2;
    config.command_line = "console=pipe command=\"block read 3; block test 40; block info\"";
    config.devices.push_back(dead);
    auto machine = create_simulated(std::move(config), console, {.seed = 4});
    ASSERT_TRUE(machine.has_value());
    EXPECT_EQ((*machine)->run().kind, Stop::Kind::exited) << out.text;
    EXPECT_NE(out.text.find("failed: io_failed"), std::string::npos) << out.text;
    EXPECT_NE(out.text.find("81 requests failed, 40 sectors are wrong"), std::string::npos)
        << out.text;
    EXPECT_GE(dead->starts, 3u) << "each time it is asked again";
}

} // namespace
