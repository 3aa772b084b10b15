// See case_run.hpp.
#include "sim/run/case_run.hpp"

#include "apps/launch/status.hpp"
#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/sim/devices/simulated_medium.hpp"
#include "sim/mutants/mutants.hpp"
#include "sim/run/case_parts.hpp"
#include "sim/run/catalogue.hpp"
#include "sim/run/world_run.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twofold::sim {

namespace {

using hosted::BoundedSchedule;

/// An operation's share of the work, roughly.
constexpr u64 operation_ns = 2'000;
constexpr u64 disk_sectors = 2'048;
/// What makes the draws of a schedule other ones than those of all else.
constexpr u64 schedule_salt = 0x7363'6865'6475'6c65;

/// How long what is explored is expected to be.
u64 work_ns_of(Case const& made) {
    u64 const operations = made.keep ? made.keep->count() : made.operations;
    return operation_ns * std::max(operations, u64{1});
}

std::vector<std::shared_ptr<hosted::PciDevice>> devices_of(Case const& made) {
    auto const medium = std::make_shared<hosted::SimulatedMedium>(
        hosted::SimulatedMediumConfig{.blocks = disk_sectors, .seed = made.seed});
    return {std::make_shared<hosted::NvmeController>(hosted::NvmeConfig{.media = {medium}})};
}

hosted::SimConfig config_of(Case const& made) {
    hosted::SimConfig config;
    config.seed = made.seed;
    config.costs = costs_of(made);
    config.faults = made.faults;
    config.faults_where_marked = true;
    config.stall_ns = stall_ns;
    config.has_oracles = true;
    switch (made.schedule.kind) {
    case Schedule::Kind::random:
        break;
    case Schedule::Kind::pct:
        config.explored = std::make_shared<hosted::PriorityChangeSchedule>(
            made.seed ^ schedule_salt, made.schedule.bound, work_ns_of(made));
        break;
    case Schedule::Kind::exhaustive:
        config.explored =
            std::make_shared<BoundedSchedule>(made.schedule.bound, BoundedSchedule::Path{});
        break;
    }
    return config;
}

} // namespace

std::unique_ptr<Simulation> Machines::take(u32 cpus) {
    if (cpus != m_cpus) {
        clear(); // where it lies another one is to be made
    }
    return std::move(m_kept);
}

void Machines::keep(std::unique_ptr<Simulation> simulation, u32 cpus) {
    m_kept = std::move(simulation);
    m_cpus = cpus;
}

CaseRun::CaseRun(Case made, std::shared_ptr<hosted::Schedule const> saved, Machines* machines)
    : m_case(std::move(made)), m_machines(machines) {
    u64 const began_ns = host_ns();
    flip(m_case.mutant);
    hosted::SimConfig config = config_of(m_case);
    config.saved = std::move(saved);
    m_simulation = machines == nullptr ? nullptr : machines->take(m_case.cpus);
    if (m_simulation != nullptr) {
        m_simulation->start_over(command_line_of(m_case, 0), devices_of(m_case), std::move(config));
    } else {
        Place const place = machines == nullptr ? Place{} : machines->place();
        hosted::MachineConfig machine = machine_of(m_case, place);
        machine.command_line = command_line_of(m_case, 0);
        machine.devices = devices_of(m_case);
        auto simulation = Simulation::create(std::move(machine), config);
        if (!simulation) {
            throw launch::Failure(launch::Status::unavailable, simulation.error());
        }
        m_simulation = std::move(*simulation);
    }
    engine().limit({.moments = moments_max});
    m_host_ns = host_ns() - began_ns;
}

CaseRun::~CaseRun() {
    if (m_machines != nullptr && m_simulation != nullptr) {
        m_machines->keep(std::move(m_simulation), m_case.cpus);
    }
}

bool CaseRun::run() {
    u64 const began_ns = host_ns();
    bool const has_ended = m_simulation->run();
    m_host_ns += host_ns() - began_ns;
    return has_ended;
}

Outcome CaseRun::outcome() const {
    hosted::SimEngine const& engine = m_simulation->engine();
    Outcome out;
    out.id = m_case.id;
    out.failure = m_simulation->failure();
    if (!out.failure && engine.counts().moments >= moments_max) {
        out.failure = CaseFailure{
            FailureKind::stall, fmt::format("no end after {} events", moments_max),
            engine.where_all_stand()};
    }
    out.hash = engine.counts().hash;
    out.events = engine.counts().moments;
    out.virtual_ns = engine.time_ns();
    out.host_ns = m_host_ns;
    out.operations = Ranges::of(engine.operations());
    add_counts(out, engine.faults(), own_catalogue().faults);
    note_reached(out, m_simulation->machine());
    return out;
}

Outcome run_case(Case const& made, Exploration* exploration, Machines* machines) {
    Exploration ignored;
    Exploration& explored = exploration == nullptr ? ignored : *exploration;
    explored = {};
    if (made.machines > 1) {
        if (machines != nullptr) {
            machines->clear(); // theirs lie there
        }
        return WorldRun(made, machines == nullptr ? Place{} : machines->place()).run();
    }
    if (made.schedule.kind != Schedule::Kind::exhaustive) {
        CaseRun run(made, nullptr, machines);
        run.run();
        return run.outcome();
    }
    auto path = std::optional<BoundedSchedule::Path>(std::in_place);
    while (true) {
        CaseRun run(made, nullptr, machines); // with a disk that nothing was written to
        BoundedSchedule const schedule(made.schedule.bound, std::move(*path));
        run.engine().explore(schedule);
        run.run();
        Outcome outcome = run.outcome();
        auto const* const taken = dynamic_cast<BoundedSchedule const*>(run.engine().explored());
        explored.last = taken->path();
        path = BoundedSchedule::next_path(taken->path());
        explored.all = !path;
        if (outcome.failure || !path || explored.schedules == explored_schedules_max) {
            return outcome;
        }
        ++explored.schedules;
    }
}

} // namespace twofold::sim
