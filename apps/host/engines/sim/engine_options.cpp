// Simulated machines: one thread, virtual time, and a seed.
#include "apps/host/engine_options.hpp"
#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/sim/devices/simulated_medium.hpp"
#include "hal/hosted/sim/sim_engine.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace twofold::host {

namespace {

std::string cost_names() {
    std::string names;
    for (hosted::CostTable const& table : hosted::cost_tables()) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", table.name);
    }
    return names;
}

/// The answer is what is wrong.
std::string take_costs(std::string const& text, hosted::SimConfig& config) {
    auto const found = hosted::find_cost_table(text);
    if (!found) {
        return fmt::format("'{}' is no table of costs: there are {}", text, cost_names());
    }
    config.costs = *found;
    return {};
}

/// `OPERATION=PARTS`. The answer is what is wrong.
std::string take_cost(std::string const& text, hosted::SimConfig& config) {
    auto const names = hosted::operation_names();
    usize const sign = std::min(text.find('='), text.size());
    auto const found = std::ranges::find(names, std::string_view(text).substr(0, sign));
    if (found == names.end() || sign == text.size()) {
        return fmt::format(
            "'{}' is no OPERATION=PARTS; there are {}", text, fmt::join(names, ", "));
    }
    constexpr u32 most = 1 << 24;
    u32& cost = config.costs.costs[static_cast<usize>(found - names.begin())];
    return number_in(cost, 1u, most)(text.substr(sign + 1));
}

} // namespace

struct EngineOptions::Values {
    hosted::SimConfig config;
    bool is_quiet = false;
    hosted::SimEngine* engine = nullptr; ///< of the machine that was made
};

EngineOptions::EngineOptions() : m_values(std::make_unique<Values>()) {}
EngineOptions::~EngineOptions() = default;

char const* EngineOptions::program_name() {
    return "twofold-sim";
}

char const* EngineOptions::program_purpose() {
    return "Runs the kernel on a simulated machine: a seed is a whole run.";
}

bool EngineOptions::hears_input_always() {
    return false; // when it comes would be the host's affair
}

void EngineOptions::add_to(Arguments& arguments) {
    Values& values = *m_values;
    arguments.add(
        {.name = "--seed",
         .value_name = "N",
         .help = "what the run is made from: random bytes and the order of processors",
         .take = number_in(values.config.seed, u64{0}, ~u64{0}),
         .default_text = "0"});
    arguments.add(
        {.name = "--costs",
         .value_name = "NAME",
         .help = "what operations take in virtual time: " + cost_names(),
         .take = [&values](std::string const& text) { return take_costs(text, values.config); },
         .default_text = std::string(hosted::cost_tables().front().name)});
    arguments.add(
        {.name = "--cost",
         .value_name = "OPERATION=PARTS",
         .help = "another cost of one operation, in 256ths of a nanosecond",
         .take = [&values](std::string const& text) { return take_cost(text, values.config); },
         .occurrence = Arguments::Occurrence::repeated});
    arguments.add_flag("--quiet", values.is_quiet, "say nothing of the run at its end");
}

/// A file's content is read at the start, and never written.
std::shared_ptr<hosted::NvmeMedium>
EngineOptions::make_medium(launch::DiskOption const& disk, usize number) const {
    std::vector<std::byte> content;
    if (!disk.file.empty()) {
        launch::DiskOption asked = disk;
        asked.is_read_only = disk.is_read_only || std::filesystem::exists(disk.file);
        content = launch::read_disk(launch::open_disk(asked));
    }
    u64 const bytes = disk.file.empty() ? *disk.bytes : content.size();
    auto const medium = std::make_shared<hosted::SimulatedMedium>(hosted::SimulatedMediumConfig{
        .blocks = bytes / disk.block_bytes,
        .block_bytes = disk.block_bytes,
        .is_read_only = disk.is_read_only,
        .seed = m_values->config.seed + number});
    auto const is_zero = [](std::byte byte) { return byte == std::byte{}; };
    for (u64 block = 0; block * disk.block_bytes < content.size(); ++block) {
        auto const held = std::span(content).subspan(block * disk.block_bytes, disk.block_bytes);
        if (!std::ranges::all_of(held, is_zero)) {
            medium->cached().medium().write(block, held);
        }
    }
    return medium;
}

std::expected<std::unique_ptr<hosted::Machine>, std::string>
EngineOptions::create(hosted::MachineConfig config, hosted::ConsoleEndpoint& console) const {
    return hosted::create_simulated(
        std::move(config), console, m_values->config, &m_values->engine);
}

std::string EngineOptions::summary() const {
    hosted::SimEngine const* const engine = m_values->engine;
    if (engine == nullptr || m_values->is_quiet) {
        return {};
    }
    return fmt::format(
        "seed {}: {}.{:09} s of virtual time, {} turns, {} interrupts, hash {:016x}",
        m_values->config.seed, engine->time_ns() / 1'000'000'000, engine->time_ns() % 1'000'000'000,
        engine->counts().turns, engine->counts().interrupts, engine->counts().hash);
}

} // namespace twofold::host
