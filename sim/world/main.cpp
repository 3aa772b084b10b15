// twofold-world: several kernels in one simulation, joined by links. stdout carries what they
// print, each line behind the machine's number; what the run was is said on stderr. The status is
// the first one of a machine that is not 0; apps/launch/status.hpp has the others.
#include "apps/arguments/arguments.hpp"
#include "apps/launch/disk_option.hpp"
#include "apps/launch/status.hpp"
#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "hal/hosted/sim/devices/simulated_medium.hpp"
#include "sim/plan/plan.hpp"
#include "sim/world/world.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace twofold::sim {

namespace {

using launch::Failure;
using launch::Status;

struct Options {
    WorldConfig world;
    u32 nodes = 2;
    u32 cpus = 1;
    u64 memory_mib = 64;
    std::optional<u64> disk_bytes; ///< nothing: no disks
    u64 latency_us = 50;
    u64 jitter_us = 10;
    u64 partition_ms = 0; ///< 0: none
    u64 heal_ms = 0;
    u64 until_ms = 0; ///< 0: no bound
    std::vector<std::string> commands;
    std::vector<std::string> rules;
};

Arguments::Take append_to(std::vector<std::string>& list) {
    return [&list](std::string const& text) {
        list.push_back(text);
        return std::string();
    };
}

constexpr u32 block_bytes = 512;

/// The answer is what is wrong.
std::string take_disk_size(std::string const& text, Options& options) {
    if (auto const wrong = launch::take_disk_bytes(text, options.disk_bytes); !wrong.empty()) {
        return wrong;
    }
    return *options.disk_bytes % block_bytes == 0
               ? std::string()
               : fmt::format("'{}' is no multiple of a block of {} bytes", text, block_bytes);
}

/// A controller with one disk of zeros. `number`: of its machine.
std::shared_ptr<hosted::PciDevice> make_disk(Options const& options, u32 number) {
    auto const medium = std::make_shared<hosted::SimulatedMedium>(hosted::SimulatedMediumConfig{
        .blocks = *options.disk_bytes / block_bytes,
        .block_bytes = block_bytes,
        .seed = options.world.seed + number});
    return std::make_shared<hosted::NvmeController>(
        hosted::NvmeConfig{.media = {medium}, .serial = fmt::format("disk{}", number)});
}

void add_machine_options(Arguments& arguments, Options& options) {
    arguments.add(
        {.name = "--nodes",
         .value_name = "N",
         .help = "how many machines there are",
         .take = number_in(options.nodes, 1u, 32u),
         .default_text = "2"});
    arguments.add(
        {.name = "--seed",
         .value_name = "N",
         .help = "what the run is made from",
         .take = number_in(options.world.seed, u64{0}, ~u64{0}),
         .default_text = "0"});
    arguments.add(
        {.name = "--command",
         .value_name = "TEXT",
         .help = "what a machine does: of the first, then of the second; the last is for the rest",
         .take = append_to(options.commands),
         .occurrence = Arguments::Occurrence::repeated});
    arguments.add(
        {.name = "--cpus",
         .value_name = "N",
         .help = "processors of each machine",
         .take = number_in(options.cpus, 1u, hosted::cpus_max),
         .default_text = "1"});
    arguments.add(
        {.name = "--memory",
         .value_name = "MIB",
         .help = "memory of each machine",
         .take = number_in(options.memory_mib, u64{4}, u64{1} << 18),
         .default_text = "64"});
    arguments.add(
        {.name = "--disk",
         .value_name = "SIZE",
         .help = "an NVMe controller in each machine, with a disk of that size, as 2M",
         .take = [&options](std::string const& text) { return take_disk_size(text, options); },
         .default_text = "none"});
    arguments.add(
        {.name = "--window",
         .value_name = "N",
         .help = "the reserved address range of the first machine; the others take those behind",
         .take = number_in(options.world.first_window, 0u, hosted::window_count - 1),
         .default_text = "0"});
    arguments.add(
        {.name = "--until",
         .value_name = "MS",
         .help = "ends the run at that virtual time; 0: when the machines end",
         .take = number_in(options.until_ms, u64{0}, u64{1} << 40),
         .default_text = "0"});
}

void add_link_options(Arguments& arguments, Options& options) {
    LinkQuality& usual = options.world.links.usual;
    auto const chance = [&](std::string name, u32& target, std::string help) {
        arguments.add(
            {.name = std::move(name),
             .value_name = "N",
             .help = std::move(help),
             .take = number_in(target, 0u, per_million),
             .default_text = "0"});
    };
    auto const time = [&](std::string name, std::string unit, u64& target, std::string help) {
        arguments.add(
            {.name = std::move(name),
             .value_name = std::move(unit),
             .help = std::move(help),
             .take = number_in(target, u64{0}, u64{1} << 40),
             .default_text = std::to_string(target)});
    };
    time("--latency", "US", options.latency_us, "of each link");
    time("--jitter", "US", options.jitter_us, "up to so much more");
    chance("--loss", usual.loss, "frames of a million that are lost");
    chance("--duplication", usual.duplication, "frames of a million that arrive twice");
    chance("--reordering", usual.reordering, "frames of a million that later ones overtake");
    time(
        "--partition", "MS", options.partition_ms,
        "from then on the first machine reaches no other; 0: never");
    time("--heal", "MS", options.heal_ms, "until then; 0: for ever");
    arguments.add(
        {.name = "--fault",
         .value_name = "RULE",
         .help = "what goes wrong, as 'link.lost:probability=0.1' or 'nvme.late:at=3' "
                 "(docs/fault-plans.md)",
         .take = append_to(options.rules),
         .occurrence = Arguments::Occurrence::repeated});
}

WorldConfig world_config(Options const& options) {
    constexpr u64 us = 1'000;
    constexpr i64 ms = 1'000'000;
    WorldConfig config = options.world;
    config.links.usual.latency_ns = options.latency_us * us;
    config.links.usual.jitter_ns = options.jitter_us * us;
    if (options.partition_ms != 0) {
        std::vector<u32> others;
        for (u32 node = 1; node < options.nodes; ++node) {
            others.push_back(node);
        }
        config.links.partitions.push_back(Partition::between(
            {0}, others, static_cast<i64>(options.partition_ms) * ms,
            options.heal_ms == 0 ? Partition::for_ever : static_cast<i64>(options.heal_ms) * ms));
    }
    hosted::FaultKinds const kinds(hosted::device_fault_kinds());
    config.faults.rules = parse_rules(options.rules, kinds);
    config.machine_faults = config.faults;
    return config;
}

std::vector<hosted::MachineConfig> machine_configs(Options const& options) {
    if (options.commands.empty()) {
        throw Failure(Status::usage, "say what the machines are to do: --command TEXT");
    }
    std::vector<hosted::MachineConfig> machines(options.nodes);
    for (u32 node = 0; node < options.nodes; ++node) {
        hosted::MachineConfig& machine = machines[node];
        std::string const& command =
            options.commands[std::min<usize>(node, options.commands.size() - 1)];
        machine.memory_bytes = options.memory_mib << 20;
        machine.cpus = options.cpus;
        machine.command_line = "console=pipe command=\"" + command + "\"";
        if (options.disk_bytes) {
            machine.devices.push_back(make_disk(options, node));
        }
    }
    return machines;
}

/// What a machine has printed, and how it has ended. The answer is its status.
int report(World const& world, u32 node) {
    std::string_view text = world.text(node);
    while (!text.empty()) {
        usize const end = std::min(text.find('\n'), text.size());
        fmt::print("{}| {}\n", node, text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    auto const stop = world.stop(node);
    if (!stop) {
        spdlog::error("machine {} has not ended", node);
        return static_cast<int>(Status::timeout);
    }
    if (stop->kind != hosted::Stop::Kind::exited) {
        spdlog::error("machine {}: {}", node, world.crash_report(node));
        return static_cast<int>(Status::crash);
    }
    return stop->status;
}

int run(Options const& options) {
    auto world = World::create(world_config(options), machine_configs(options));
    if (!world) {
        throw Failure(Status::usage, world.error());
    }
    auto const began = std::chrono::steady_clock::now();
    WorldEnd const end = (*world)->run(
        options.until_ms == 0 ? hosted::EventQueue::never
                              : static_cast<i64>(options.until_ms) * 1'000'000);
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - began;
    int status = 0;
    for (u32 node = 0; node < (*world)->size(); ++node) {
        int const own = report(**world, node);
        status = status != 0 ? status : own;
    }
    if (end == WorldEnd::all_wait) {
        spdlog::error("the machines wait for what can never come");
    }
    LinkCounts const& links = (*world)->link_counts();
    double const virtual_s = static_cast<double>((*world)->time_ns()) / 1e9;
    spdlog::info(
        "{} frames sent, {} arrived, {} lost, {} cut off, {} doubled, {} reordered, {} late",
        links.sent, links.arrivals, links.lost, links.cut, links.duplicated, links.reordered,
        links.late);
    spdlog::info(
        "seed {}: {:.6f} s of virtual time, {:.0f} times real time, {} turns of machines, "
        "hash {:016x}",
        options.world.seed, virtual_s, virtual_s / took.count(), (*world)->turns(),
        (*world)->hash());
    return status;
}

} // namespace

} // namespace twofold::sim

int main(int count, char** arguments) {
    using namespace twofold::sim;
    spdlog::set_default_logger(spdlog::stderr_logger_st("twofold-world"));
    spdlog::set_pattern("%n: %v");
    try {
        Options options;
        twofold::Arguments known(
            "twofold-world", "Runs several kernels in one simulation, joined by links.");
        add_machine_options(known, options);
        add_link_options(known, options);
        known.add_action(
            "--version", [] { fmt::print("{}\n", TWOFOLD_VERSION); },
            "print the program's version and exit");
        if (auto const status = known.parse(count, arguments)) {
            return *status;
        }
        return run(options);
    } catch (Failure const& failure) {
        spdlog::error("{}", failure.what());
        return static_cast<int>(failure.status());
    } catch (std::exception const& error) {
        spdlog::error("unexpected: {}", error.what());
        return static_cast<int>(Status::crash);
    }
}
