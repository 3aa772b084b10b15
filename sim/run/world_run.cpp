// See world_run.hpp.
#include "sim/run/world_run.hpp"

#include "apps/launch/status.hpp"
#include "sim/mutants/mutants.hpp"
#include "sim/run/catalogue.hpp"
#include "sim/run/judgement.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twofold::sim {

namespace {

WorldConfig config_of(Case const& made, Place const& place) {
    WorldConfig config;
    config.seed = made.seed;
    config.costs = costs_of(made);
    config.faults = made.faults;
    config.faults_where_marked = true;
    config.stall_ns = stall_ns;
    config.has_oracles = true;
    config.first_window = place.window;
    return config;
}

launch::Journal journal_of(std::span<std::byte const> records) {
    launch::Journal journal;
    launch::RecordDecoder decoder;
    auto const take = [&journal](launch::Record const& record) { journal.note(record); };
    decoder.feed(records, take);
    decoder.finish(take);
    return journal;
}

} // namespace

WorldRun::WorldRun(Case made, Place const& place) : m_case(std::move(made)) {
    u64 const began_ns = host_ns();
    flip(m_case.mutant);
    std::vector<hosted::MachineConfig> machines;
    for (u32 machine = 0; machine < m_case.machines; ++machine) {
        machines.push_back(machine_of(m_case, place));
        machines.back().command_line = command_line_of(m_case, machine);
    }
    auto world = World::create(config_of(m_case, place), std::move(machines));
    if (!world) {
        throw launch::Failure(launch::Status::unavailable, world.error());
    }
    m_world = std::move(*world);
    m_host_ns = host_ns() - began_ns;
}

Outcome WorldRun::run() {
    u64 const began_ns = host_ns();
    m_world->run();
    Outcome out;
    out.id = m_case.id;
    out.failure = failure();
    out.hash = m_world->hash();
    out.virtual_ns = static_cast<u64>(m_world->time_ns());
    std::vector<u64> operations;
    for (u32 machine = 0; machine < m_world->size(); ++machine) {
        hosted::SimEngine const& engine = m_world->engine(machine);
        out.events += engine.counts().moments;
        operations.insert(operations.end(), engine.operations().begin(), engine.operations().end());
        note_reached(out, m_world->machine(machine));
    }
    out.operations = Ranges::of(operations);
    add_counts(out, m_world->link_faults(), own_catalogue().faults);
    out.host_ns = m_host_ns + host_ns() - began_ns;
    return out;
}

/// That of the machine which ended first of those that failed: the others may only have missed it.
std::optional<CaseFailure> WorldRun::failure() const {
    std::optional<CaseFailure> first;
    u64 first_ns = 0;
    for (u32 machine = 0; machine < m_world->size(); ++machine) {
        launch::Journal const journal = journal_of(m_world->records(machine));
        hosted::SimEngine const& engine = m_world->engine(machine);
        auto found = judge(
            {.stop = m_world->stop(machine).value_or(
                 hosted::Stop{.kind = hosted::Stop::Kind::waiting_for_input}),
             .machine = m_world->machine(machine),
             .engine = engine,
             .output = m_world->text(machine),
             .journal = journal});
        if (found && (!first || engine.time_ns() < first_ns)) {
            found->text = fmt::format("machine {}: {}", machine, found->text);
            first = std::move(found);
            first_ns = engine.time_ns();
        }
    }
    return first;
}

std::string WorldRun::output() const {
    std::string lines;
    for (u32 machine = 0; machine < m_world->size(); ++machine) {
        std::string_view text = m_world->text(machine);
        while (!text.empty()) {
            usize const end = std::min(text.find('\n'), text.size());
            lines += fmt::format("{}| {}\n", machine, text.substr(0, end));
            text.remove_prefix(std::min(end + 1, text.size()));
        }
    }
    return lines;
}

} // namespace twofold::sim
