// Kernels that use a simulated disk by their NVMe driver: what they write outlasts the machine,
// every fault of disk and controller reaches them, and what was flushed outlasts a power cut at any
// moment. That each fault is borne at each of its occasions:
// tests/apps/workloads/nvme_faults_test.py.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "hal/hosted/sim/devices/simulated_medium.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <iterator>
#include <memory>
#include <set>
#include <sstream>

namespace {

using namespace hosted;
using namespace hosted::test;
using enum DeviceFault;

/// A disk that outlasts the machines that it is plugged into.
struct SimulatedDisk {
    explicit SimulatedDisk(SimulatedMediumConfig const& config = {.blocks = 2000})
        : medium(std::make_shared<SimulatedMedium>(config)),
          controller(std::make_shared<NvmeController>(NvmeConfig{.media = {medium}})) {}

    std::shared_ptr<SimulatedMedium> medium;
    std::shared_ptr<NvmeController> controller;
};

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

Seen run(SimulatedDisk const& disk, Wanted const& wanted) {
    Seen out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = wanted.cpus;
    config.window = wanted.window;
    config.command_line = "console=pipe command=\"" + wanted.command + "\"";
    config.devices.push_back(disk.controller);
    SimEngine* engine = nullptr;
    auto machine = create_simulated(
        std::move(config), console, {.seed = wanted.seed, .faults = {.rules = wanted.rules}},
        &engine);
    EXPECT_TRUE(machine.has_value());
    engine->limit({.time_ns = wanted.pause_ns});
    out.stop = (*machine)->run();
    out.counts = engine->counts();
    out.time_ns = engine->time_ns();
    for (usize fault = 0; fault < device_faults; ++fault) {
        auto const id = fault_id(static_cast<DeviceFault>(fault));
        out.fired.push_back(engine->faults().can_fire(id) ? engine->faults().counts(id).fired : 0);
    }
    return out;
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

TEST(SimulatedDisk, OutlastsTheMachine) {
    for (u32 const block_bytes : {512u, 4096u}) {
        SimulatedDisk const disk({.blocks = 2000, .block_bytes = block_bytes});
        Seen const first = run(disk, {"disks write nvme0n1 7 hello; disks flush nvme0n1"});
        EXPECT_EQ(first.stop.status, 0) << first.text;
        Seen const second = run(disk, {"disks stats nvme0n1; disks read nvme0n1 7"});
        EXPECT_TRUE(second.says("sector 7: 'hello', 5 bytes are not zero")) << second.text;
        EXPECT_TRUE(second.says(fmt::format("2000 sectors of {} bytes", block_bytes)));
        EXPECT_EQ(disk.medium->counts().power_cuts, 2u);
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

/// A machine with a disk, of which a person asks one line after the other.
struct TypedMachine {
    TypedMachine() {
        MachineConfig config;
        config.command_line = "console=pipe";
        config.devices.push_back(disk.controller);
        auto made = create_simulated(std::move(config), console, {.seed = 4});
        EXPECT_TRUE(made.has_value());
        machine = std::move(*made);
    }
    /// What the line printed.
    std::string type(std::string_view line) {
        console.input = fmt::format("{}\n", line);
        console.text.clear();
        EXPECT_EQ(machine->run().kind, Stop::Kind::waiting_for_input) << console.text;
        return console.text;
    }
    usize cached_writes() const { return disk.medium->cached().cached_writes(); }

    Typed console;
    SimulatedDisk disk;
    std::unique_ptr<Machine> machine;
};

TEST(SimulatedDisk, IsTakenAgainWithoutALoss) {
    // More often than there are vectors that a driver could take each time. What is freed stays in
    // the heap's caches, so blocks are counted, once the kernel has all that it keeps.
    constexpr u32 times = 100;
    TypedMachine it;
    auto const blocks = [&] {
        constexpr std::string_view name = "in blocks";
        std::string const text = it.type("heap");
        usize const line = text.find(name);
        EXPECT_NE(line, std::string::npos) << text;
        return line != std::string::npos ? std::stoull(text.substr(line + name.size())) : 0;
    };
    u64 before = 0;
    it.type("disks write nvme0n1 3 kept; disks flush nvme0n1");
    for (u32 i = 0; i < 2 * times; ++i) {
        before = i == times ? blocks() : before;
        std::string const text =
            it.type("devices remove 01:01.0; devices probe 01:01.0; disks read nvme0n1 3");
        ASSERT_NE(text.find("sector 3: 'kept'"), std::string::npos) << i << text;
    }
    constexpr u64 smallest_block = 16;
    EXPECT_GT(before, 0u);
    EXPECT_LT(blocks(), before + times * smallest_block);
}

TEST(SimulatedDisk, ManyRequestsAreTheSameRunEverywhere) {
    std::set<u64> hashes;
    for (u64 seed = 1; seed <= 5; ++seed) {
        Wanted wanted{.command = "nvme test 0 300", .seed = seed, .cpus = 3};
        Seen const first = run(SimulatedDisk(), wanted);
        EXPECT_EQ(first.stop.status, 0) << first.text;
        wanted.window = 1;
        EXPECT_EQ(run(SimulatedDisk(), wanted), first);
        hashes.insert(first.counts.hash);
    }
    EXPECT_EQ(hashes.size(), 5u);
}

/// The sum of a column of a table in `text`, or the value of a fact; each name is there once.
u64 figure(std::string const& text, std::string_view name) {
    usize const at = text.find(name);
    EXPECT_NE(at, std::string::npos) << name << text;
    if (at == std::string::npos) {
        return ~u64{0};
    }
    usize const line = text.rfind('\n', at) + 1;
    std::istringstream rest(text.substr(line));
    std::string row;
    std::getline(rest, row);
    auto const words_of = [](std::string const& from) {
        std::istringstream in(from);
        return std::vector<std::string>(std::istream_iterator<std::string>(in), {});
    };
    std::vector<std::string> const head = words_of(row);
    if (head.front() == name) {
        return std::stoull(head.at(1));
    }
    auto const column = static_cast<usize>(std::ranges::find(head, name) - head.begin());
    if (column == head.size()) {
        ADD_FAILURE() << name << " is no column of " << text;
        return ~u64{0};
    }
    u64 sum = 0;
    while (std::getline(rest, row)) {
        std::vector<std::string> const cells = words_of(row);
        if (cells.size() != head.size() ||
            cells[0].find_first_not_of("0123456789") != std::string::npos) {
            break;
        }
        sum += std::stoull(cells[column]);
    }
    return sum;
}

/// Runs with one fault that fires once each, and what they showed.
struct SimulatedDiskFaults : testing::Test {
    static constexpr std::string_view all_right = "72 requests, 0 failed, 0 sectors are wrong";
    std::string const test = "nvme test 0 64; nvme queues; nvme id";
    std::set<DeviceFault> shown;

    Seen run_with(DeviceFault fault, u64 at, u64 amount = 0) {
        Seen const seen = run(
            SimulatedDisk(), {.command = test, .cpus = 1, .rules = {rule(fault, {at}, amount)}});
        EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << seen.text;
        EXPECT_EQ(seen.fired[static_cast<usize>(fault)], 1u) << seen.text;
        shown.insert(fault);
        return seen;
    }
    /// The test's data is wrong, or a request has failed.
    void expect_said(DeviceFault fault, u64 at, std::string_view what) {
        EXPECT_TRUE(run_with(fault, at).says(fmt::format("72 requests, {}", what))) << what;
    }
    /// All is right, and the driver has counted it.
    void expect_mended(DeviceFault fault, std::string_view name, u64 count) {
        Seen const seen = run_with(fault, 20);
        EXPECT_TRUE(seen.says(all_right)) << seen.text;
        EXPECT_EQ(figure(seen.text, name), count) << name << seen.text;
    }
    /// Where nobody polls and no interrupt comes, what is overdue is looked for.
    void expect_lost_interrupts_made_up_for() {
        FaultRule all_lost = rule(nvme_lost_interrupt, {});
        all_lost.probability = 1;
        Seen const lost =
            run(SimulatedDisk(),
                {.command = "nvme mode 0 interrupt; " + test, .cpus = 1, .rules = {all_lost}});
        EXPECT_TRUE(lost.says(all_right)) << lost.text;
        EXPECT_GT(lost.fired[static_cast<usize>(nvme_lost_interrupt)], 0u);
        EXPECT_EQ(figure(lost.text, "interrupts"), 0u) << lost.text;
        EXPECT_GT(figure(lost.text, "lost_interrupts"), 0u) << lost.text;
        shown.insert(nvme_lost_interrupt);
    }
    /// What a flush does, or does not.
    void expect_flushes_to_be_told_apart() {
        std::string const twice =
            "disks write nvme0n1 3 old; disks write nvme0n1 3 new; disks flush nvme0n1; ";
        for (bool const repeats : {false, true}) {
            std::vector<FaultRule> rules;
            if (repeats) {
                rules.push_back(rule(nvme_repeated_write, {1}));
                shown.insert(nvme_repeated_write);
            }
            Seen const seen =
                run(SimulatedDisk(),
                    {.command = twice + "disks read nvme0n1 3", .rules = std::move(rules)});
            EXPECT_TRUE(seen.says(repeats ? "sector 3: 'old'" : "sector 3: 'new'")) << seen.text;
        }
        for (bool const ignores : {false, true}) {
            std::vector<FaultRule> rules;
            if (ignores) {
                rules.push_back(rule(nvme_flush_ignored, {1}));
                shown.insert(nvme_flush_ignored);
            }
            SimulatedDisk const disk;
            Seen const seen = run(
                disk,
                {.command = twice + "sleep 1", .rules = std::move(rules), .pause_ns = 500'000'000});
            EXPECT_EQ(seen.stop.kind, Stop::Kind::paused) << seen.text;
            EXPECT_EQ(disk.medium->cached().cached_writes(), ignores ? 2u : 0u) << seen.text;
        }
    }
};

TEST_F(SimulatedDiskFaults, EachReachesTheKernel) {
    Seen const usual = run(SimulatedDisk(), {.command = test, .cpus = 1});
    EXPECT_TRUE(usual.says(all_right)) << usual.text;
    for (std::string_view const name : {"spurious", "retries", "timeouts", "resets", "events"}) {
        EXPECT_EQ(figure(usual.text, name), 0u) << name;
    }
    // What is done to the data, of blocks that are written and read eight at a time.
    expect_said(nvme_torn_write, 5, "0 failed, 5 sectors are wrong");
    expect_said(nvme_lost_write, 5, "0 failed, 8 sectors are wrong");
    expect_said(nvme_misdirected_write, 5, "0 failed, 8 sectors are wrong");
    expect_said(nvme_shorn_write, 1, "0 failed, 1 sectors are wrong");
    expect_said(nvme_misdirected_read, 5, "0 failed, 8 sectors are wrong");
    expect_said(nvme_stale_read, 5, "0 failed, 8 sectors are wrong");
    expect_said(nvme_short_transfer, 5, "0 failed, 4 sectors are wrong");
    expect_said(nvme_bit_rot, 5, "0 failed, 1 sectors are wrong");
    expect_said(nvme_zeroed, 5, "0 failed, 1 sectors are wrong");
    expect_said(nvme_filled, 5, "0 failed, 1 sectors are wrong");
    expect_said(nvme_read_error, 5, "1 failed, 8 sectors are wrong");
    // What the driver mends.
    expect_mended(nvme_write_error, "retries", 1);
    expect_mended(nvme_status, "retries", 1);
    expect_mended(nvme_duplicate_completion, "spurious", 1);
    expect_mended(nvme_dropped_completion, "timeouts", 1);
    expect_mended(nvme_wrong_phase, "resets", 1);
    expect_mended(nvme_fatal, "resets", 1);
    expect_mended(nvme_reset, "resets", 1);
    expect_mended(nvme_shrunk, "events", 1);
    u64 const interrupts = figure(usual.text, "interrupts");
    expect_mended(nvme_spurious_interrupt, "interrupts", interrupts + 1);
    expect_lost_interrupts_made_up_for();
    // What takes time and nothing else.
    for (auto const& [fault, least_ns] :
         {std::pair(nvme_late, 9'000'000), std::pair(nvme_doorbell_stall, 9'000'000),
          std::pair(nvme_reordered, 500'000)}) {
        Seen const seen = run_with(fault, 5);
        EXPECT_TRUE(seen.says(all_right)) << seen.text;
        EXPECT_GT(seen.time_ns, usual.time_ns + static_cast<u64>(least_ns));
    }
    expect_flushes_to_be_told_apart();
    EXPECT_EQ(shown.size(), device_faults - static_cast<usize>(nvme_torn_write))
        << "each of disk and controller";
}

TEST(SimulatedDisk, BearsManyFaultsAtOnceThatLoseNothing) {
    for (u64 seed = 1; seed <= 10; ++seed) {
        std::vector<FaultRule> rules;
        for (DeviceFault const fault : {nvme_late, nvme_reordered, nvme_duplicate_completion}) {
            rules.push_back(rule(fault, {}));
            rules.back().probability = 0.2;
        }
        Seen const seen =
            run(SimulatedDisk(), {.command = "nvme test 0 200; nvme queues; nvme id",
                                  .seed = seed,
                                  .cpus = 4,
                                  .rules = rules});
        EXPECT_EQ(seen.stop.status, 0) << seed << seen.text;
        EXPECT_TRUE(seen.says(" 0 failed, 0 sectors are wrong")) << seen.text;
        EXPECT_EQ(figure(seen.text, "timeouts"), 0u) << seen.text;
        EXPECT_EQ(figure(seen.text, "resets"), 0u) << seen.text;
        EXPECT_GT(figure(seen.text, "spurious"), 0u) << seen.text;
    }
}

TEST(SimulatedDisk, LostCompletionsEndEachRequestOnce) {
    std::vector<FaultRule> rules{rule(nvme_dropped_completion, {})};
    rules.back().probability = 0.05;
    rules.back().from_ns = 500'000'000; // behind the controller's start
    for (u64 seed = 1; seed <= 5; ++seed) {
        Seen const seen =
            run(SimulatedDisk(), {.command = "disks; sleep 1; nvme test 0 100; nvme queues",
                                  .seed = seed,
                                  .cpus = 4,
                                  .rules = rules});
        EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << seen.text;
        EXPECT_GT(seen.fired[static_cast<usize>(nvme_dropped_completion)], 0u);
        EXPECT_TRUE(seen.says(" sectors are wrong")) << seen.text;
        EXPECT_GT(figure(seen.text, "timeouts"), 0u) << seen.text;
    }
}

TEST(SimulatedDisk, APowerCutAtAnyMomentKeepsWhatWasFlushed) {
    std::string command = "disks; ";
    constexpr u32 epochs = 6;
    for (u32 i = 0; i < epochs; ++i) {
        command += fmt::format("disks write nvme0n1 {0} epoch{0}; disks flush nvme0n1; ", i);
    }
    i64 const begin_ns = static_cast<i64>(run(SimulatedDisk(), {"disks"}).time_ns);
    i64 const end_ns = static_cast<i64>(run(SimulatedDisk(), {command}).time_ns);
    std::string reads = "disks read nvme0n1 0";
    for (u32 i = 1; i < epochs; ++i) {
        reads += fmt::format("; disks read nvme0n1 {}", i);
    }
    u32 cut_between = 0;
    for (i64 at_ns = begin_ns / 2; at_ns < end_ns; at_ns += 37'000) {
        SimulatedDisk const disk({.blocks = 2000, .seed = static_cast<u64>(at_ns)});
        Seen const cut = run(disk, {.command = command, .pause_ns = at_ns});
        EXPECT_EQ(cut.stop.kind, Stop::Kind::paused) << cut.text;
        usize const acknowledged = count_of(cut.text, "done") / 2; // a write and a flush each
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
    config.command_line = "console=pipe command=\"nvme test 0 100\"";
    config.devices.push_back(SimulatedDisk().controller);
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
    EXPECT_EQ(stop.status, 0) << out.text;
    EXPECT_TRUE(every_ns == 0 || pauses > 100);
    return watcher.moments;
}

TEST(SimulatedDisk, PausesChangeNothing) {
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

TEST(SimulatedDisk, ASnapshotHoldsTheDisk) {
    TypedMachine it;
    it.type("disks write nvme0n1 3 first");
    auto const copy = it.machine->snapshot();
    ASSERT_TRUE(copy.has_value()) << copy.error();
    EXPECT_EQ(copy->devices.size(), 1u);
    it.type("disks write nvme0n1 3 second; disks flush nvme0n1");
    EXPECT_EQ(it.cached_writes(), 0u);
    ASSERT_TRUE(it.machine->restore(*copy).has_value());
    EXPECT_EQ(it.cached_writes(), 1u);
    std::string const text = it.type("disks read nvme0n1 3");
    EXPECT_NE(text.find("'first'"), std::string::npos) << text;
    Snapshot other = *copy;
    other.devices.clear();
    EXPECT_EQ(
        it.machine->restore(other).error(),
        "the snapshot is of a machine with 0 devices, this one has 1");
}

TEST(SimulatedDisk, ADeadControllerLeavesNobodyWaiting) {
    std::string const command = "disks; sleep 1; disks read nvme0n1 3; disks flush nvme0n1; "
                                "nvme test 0 40; nvme; disks stats nvme0n1";
    for (DeviceFault const fault : {nvme_dropped_completion, nvme_fatal, nvme_reset}) {
        FaultRule dead = rule(fault, {});
        dead.probability = 1;
        dead.from_ns = 500'000'000;
        Seen const seen = run(SimulatedDisk(), {.command = command, .rules = {dead}});
        EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << seen.text;
        EXPECT_EQ(count_of(seen.text, "failed: io_failed"), 2u) << seen.text;
        EXPECT_FALSE(seen.says(", 0 failed")) << seen.text;
        EXPECT_TRUE(seen.says(" dead ")) << seen.text;
        EXPECT_TRUE(seen.says("0 in flight")) << seen.text;
    }
}

} // namespace
