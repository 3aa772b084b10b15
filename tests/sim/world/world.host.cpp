// Several kernels in one simulation: they talk over links that lose, double, reorder and are cut;
// the same seed is the same run under every layout; and every fault of links reaches them.
#include "sim/world/world.hpp"

#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "hal/hosted/sim/devices/simulated_medium.hpp"

#include <gtest/gtest.h>

#include <set>

namespace {

using namespace twofold;
using namespace twofold::sim;
using hosted::DeviceFault;
using hosted::Stop;

using Commands = std::vector<std::string>;

std::vector<hosted::MachineConfig> machines_of(Commands const& commands, u32 cpus = 1) {
    std::vector<hosted::MachineConfig> machines;
    for (std::string const& command : commands) {
        machines.emplace_back();
        machines.back().memory_bytes = u64{32} << 20;
        machines.back().cpus = cpus;
        machines.back().command_line = "console=pipe command=\"" + command + "\"";
    }
    return machines;
}

std::unique_ptr<World>
make_world(WorldConfig const& config, std::vector<hosted::MachineConfig> machines) {
    auto world = World::create(config, std::move(machines));
    EXPECT_TRUE(world.has_value()) << world.error();
    return std::move(*world);
}

void expect_success(World const& world) {
    for (u32 machine = 0; machine < world.size(); ++machine) {
        auto const stop = world.stop(machine);
        ASSERT_TRUE(stop.has_value()) << machine;
        EXPECT_EQ(stop->kind, Stop::Kind::exited) << machine << world.crash_report(machine);
        EXPECT_EQ(stop->status, 0) << machine << world.text(machine);
    }
}

bool says(World const& world, u32 machine, std::string_view what) {
    return world.text(machine).find(what) != std::string::npos;
}

TEST(World, TwoKernelsExchangeFrames) {
    auto const world = make_world(
        {.seed = 1}, machines_of(
                         {"message send 1 hello; message receive 100; message ping 1 100",
                          "message receive 100; message send 0 world; message echo 100"}));
    EXPECT_EQ(world->run(), WorldEnd::all_ended);
    expect_success(*world);
    EXPECT_TRUE(says(*world, 0, "from 1: 'world'")) << world->text(0);
    EXPECT_TRUE(says(*world, 0, "100 answers, 0 repeated, 0 unexpected")) << world->text(0);
    EXPECT_TRUE(says(*world, 1, "from 0: 'hello'")) << world->text(1);
    EXPECT_TRUE(says(*world, 1, "100 pings answered")) << world->text(1);
    EXPECT_EQ(world->link_counts().sent, 202u);
    EXPECT_EQ(world->link_counts().arrivals, 202u);
}

TEST(World, FramesTakeTheirTime) {
    auto const time_of = [](u64 latency_ns) {
        WorldConfig config;
        config.links.usual = {.latency_ns = latency_ns, .jitter_ns = 0};
        auto const world =
            make_world(config, machines_of({"message ping 1 100 100", "message echo 500"}));
        EXPECT_EQ(world->run(), WorldEnd::all_ended);
        expect_success(*world);
        EXPECT_TRUE(says(*world, 0, "100 answers, 0 repeated, 0 unexpected")) << world->text(0);
        return world->engine(0).time_ns();
    };
    u64 const near = time_of(20'000);
    u64 const far = time_of(2'000'000);
    // A hundred times there and back.
    EXPECT_GE(far - near, u64{200} * 1'900'000);
    EXPECT_LE(far - near, u64{200} * 2'100'000);
}

/// Four machines over links that do everything that links may do, and are cut meanwhile.
WorldConfig bad_links(u64 seed) {
    constexpr i64 ms = 1'000'000;
    WorldConfig config{.seed = seed};
    config.links.usual = {
        .loss = 100'000, .duplication = 100'000, .reordering = 200'000, .reordering_ns = 2'000'000};
    config.links.partitions.push_back(Partition::between({0, 1}, {2, 3}, 0, 100 * ms));
    return config;
}

Commands const bad_links_commands{
    "message ping 2 20 5; message ping 1 20 5", "message echo 400",
    "message ping 3 20 5; message echo 400", "message echo 400"};

struct WorldTrial {
    u64 hash = 0;
    i64 time_ns = 0;
    std::vector<std::string> texts;

    bool operator==(WorldTrial const&) const = default;
};

WorldTrial run_bad_links(u64 seed, unsigned first_window, u32 cpus) {
    WorldConfig config = bad_links(seed);
    config.first_window = first_window;
    auto const world = make_world(config, machines_of(bad_links_commands, cpus));
    EXPECT_EQ(world->run(), WorldEnd::all_ended);
    expect_success(*world);
    EXPECT_TRUE(says(*world, 0, "20 answers")) << world->text(0);
    EXPECT_TRUE(says(*world, 2, "20 answers")) << world->text(2);
    LinkCounts const& counts = world->link_counts();
    EXPECT_GT(counts.lost, 0u);
    EXPECT_GT(counts.duplicated, 0u);
    EXPECT_GT(counts.reordered, 0u);
    EXPECT_GT(counts.cut, 0u);
    WorldTrial trial{world->hash(), world->time_ns(), {}};
    for (u32 machine = 0; machine < world->size(); ++machine) {
        trial.texts.push_back(world->text(machine));
    }
    return trial;
}

TEST(World, FourKernelsBearBadLinksAndAPartitionThatHeals) {
    for (u32 const cpus : {1u, 2u}) {
        WorldTrial const first = run_bad_links(5, 0, cpus);
        EXPECT_EQ(run_bad_links(5, 0, cpus), first) << "the same seed";
        EXPECT_EQ(run_bad_links(5, 9, cpus), first) << "in other windows";
    }
}

TEST(World, OtherSeedsAreOtherRuns) {
    std::set<u64> hashes;
    for (u64 seed = 0; seed < 8; ++seed) {
        hashes.insert(run_bad_links(seed, 0, 1).hash);
    }
    EXPECT_EQ(hashes.size(), 8u);
}

TEST(World, PausesChangeNothing) {
    WorldTrial const whole = run_bad_links(5, 0, 1);
    auto const world = make_world(bad_links(5), machines_of(bad_links_commands));
    WorldEnd end = WorldEnd::out_of_time;
    for (i64 until_ns = 1'000'000; end == WorldEnd::out_of_time; until_ns += 1'000'000) {
        end = world->run(until_ns);
    }
    EXPECT_EQ(end, WorldEnd::all_ended);
    EXPECT_EQ(world->text(0), whole.texts[0]);
    EXPECT_EQ(world->hash(), whole.hash);
}

TEST(World, EveryFaultOfLinksFires) {
    hosted::FaultKinds const kinds(hosted::device_fault_kinds());
    for (DeviceFault const fault :
         {DeviceFault::link_lost, DeviceFault::link_late, DeviceFault::link_duplicated,
          DeviceFault::link_reordered, DeviceFault::link_partition}) {
        hosted::FaultId const id = hosted::fault_id(fault);
        hosted::FaultRule rule = kinds.rule(id);
        rule.at = {10};
        auto const world = make_world(
            {.seed = 2, .faults = {.rules = {rule}}},
            machines_of({"message ping 1 50 5", "message echo 400"}));
        EXPECT_EQ(world->run(), WorldEnd::all_ended);
        expect_success(*world);
        EXPECT_EQ(world->link_faults().counts(id).fired, 1u) << kinds[id].name;
        bool const is_plain = says(*world, 0, "50 answers, 0 repeated, 0 unexpected");
        // One that is held back for a while meets no other here: ping waits for each answer.
        EXPECT_EQ(is_plain, fault == DeviceFault::link_reordered)
            << kinds[id].name << world->text(0);
    }
}

TEST(World, SaysThatNobodyCanGoOn) {
    auto machines = machines_of({"message info", "message info"});
    machines[1].command_line = "console=pipe command=\"beat 1000 1000\"";
    auto const world = make_world({}, std::move(machines));
    EXPECT_EQ(world->run(500'000'000), WorldEnd::out_of_time);
    EXPECT_TRUE(world->stop(0).has_value());
    EXPECT_FALSE(world->stop(1).has_value());
    EXPECT_GE(world->time_ns(), 499'000'000);
    EXPECT_EQ(world->run(), WorldEnd::all_ended);
}

using Disk = std::shared_ptr<hosted::SimulatedMedium>;

/// Plugs a disk of its own into each machine. The answer is their media.
std::vector<Disk> plug_disks(std::vector<hosted::MachineConfig>& machines) {
    std::vector<Disk> disks;
    for (hosted::MachineConfig& machine : machines) {
        disks.push_back(std::make_shared<hosted::SimulatedMedium>(
            hosted::SimulatedMediumConfig{.blocks = 100, .seed = disks.size()}));
        machine.devices.push_back(
            std::make_shared<hosted::NvmeController>(hosted::NvmeConfig{.media = {disks.back()}}));
    }
    return disks;
}

TEST(World, ADiskOutlastsAPowerCut) {
    auto machines =
        machines_of({"disks read nvme0n1 3; disks write nvme0n1 3 kept; disks flush nvme0n1; "
                     "message echo 50"});
    Disk const disk = plug_disks(machines).front();
    auto const world = make_world({.seed = 3}, std::move(machines));
    EXPECT_EQ(world->run(40'000'000), WorldEnd::out_of_time);
    EXPECT_TRUE(says(*world, 0, "sector 3: '', 0 bytes")) << world->text(0);
    u64 const hash = world->hash();
    world->power_cycle(0);
    EXPECT_EQ(world->run(), WorldEnd::all_ended);
    expect_success(*world);
    EXPECT_TRUE(says(*world, 0, "sector 3: 'kept'")) << world->text(0);
    EXPECT_GT(world->time_ns(), 90'000'000) << "time went on";
    EXPECT_NE(world->hash(), hash);
    EXPECT_EQ(disk->counts().power_cuts, 2u);
}

struct DiskTrial {
    u64 hash = 0;
    std::string first;     ///< what the first machine said
    u64 fired[2] = {0, 0}; ///< faults of each machine
};

/// The first machine writes two blocks and reads them, the second one another block.
DiskTrial run_disks(u64 seed, unsigned first_window, hosted::FaultPlan const& faults) {
    auto machines = machines_of(
        {"disks write nvme0n1 1 one; disks write nvme0n1 2 two; disks flush nvme0n1; "
         "disks read nvme0n1 1; disks read nvme0n1 2; message ping 1 5",
         "disks write nvme0n1 1 other; disks read nvme0n1 1; disks read nvme0n1 2; "
         "message echo 200"});
    std::vector<Disk> const disks = plug_disks(machines);
    auto const world = make_world(
        {.seed = seed, .machine_faults = faults, .first_window = first_window},
        std::move(machines));
    EXPECT_EQ(world->run(), WorldEnd::all_ended);
    expect_success(*world);
    EXPECT_TRUE(says(*world, 0, "sector 1: 'one'")) << world->text(0);
    EXPECT_TRUE(says(*world, 0, "5 answers")) << world->text(0);
    EXPECT_TRUE(says(*world, 1, "sector 1: 'other'")) << world->text(1);
    EXPECT_TRUE(says(*world, 1, "sector 2: ''")) << world->text(1);
    EXPECT_EQ(disks[0]->cached().medium().damaged(), faults.rules.size());
    EXPECT_EQ(disks[1]->cached().medium().damaged(), 0u) << "it has written once";
    DiskTrial trial{world->hash(), world->text(0), {}};
    for (u32 machine = 0; machine < 2 && !faults.rules.empty(); ++machine) {
        trial.fired[machine] =
            world->engine(machine).faults().counts(faults.rules.front().kind).fired;
    }
    return trial;
}

TEST(World, EachMachineHasADiskOfItsOwnAndFaultsOfDisksHappen) {
    hosted::FaultKinds const kinds(hosted::device_fault_kinds());
    hosted::FaultRule lost = kinds.rule(hosted::fault_id(DeviceFault::nvme_lost_write));
    lost.at = {2};
    hosted::FaultPlan const faults{.rules = {lost}};
    DiskTrial const sound = run_disks(6, 0, {});
    EXPECT_NE(sound.first.find("sector 2: 'two'"), std::string::npos) << sound.first;
    DiskTrial const faulty = run_disks(6, 0, faults);
    EXPECT_NE(faulty.first.find("sector 2: ''"), std::string::npos) << faulty.first;
    EXPECT_EQ(faulty.fired[0], 1u);
    EXPECT_EQ(faulty.fired[1], 0u);
    EXPECT_EQ(run_disks(6, 9, faults).hash, faulty.hash) << "in other windows";
    EXPECT_NE(run_disks(7, 0, faults).hash, faulty.hash) << "by another seed";
}

TEST(World, RefusesWhatItCannotHave) {
    EXPECT_FALSE(World::create({}, {}).has_value());
    WorldConfig instant;
    instant.links.usual.latency_ns = 0;
    EXPECT_NE(
        World::create(instant, machines_of({"ps"})).error().find("latency"), std::string::npos);
    EXPECT_FALSE(World::create({.first_window = 48}, machines_of({"ps"})).has_value());
    EXPECT_NE(
        World::create({}, machines_of(Commands(7, "ps"))).error().find("mappings"),
        std::string::npos);
}

} // namespace
