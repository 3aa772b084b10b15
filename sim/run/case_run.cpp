// See case_run.hpp.
#include "sim/run/case_run.hpp"

#include "apps/launch/status.hpp"
#include "hal/hosted/sim/devices/block_device.hpp"
#include "sim/mutants/mutants.hpp"
#include "sim/run/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace twofold::sim {

namespace {

using hosted::BoundedSchedule;

/// No operation takes so long, whatever goes wrong.
constexpr i64 stall_ns = 5'000'000'000;
/// An operation's share of the work, roughly.
constexpr u64 operation_ns = 2'000;
constexpr u64 disk_sectors = 2'048;
constexpr u64 memory_bytes = u64{64} << 20;
/// What makes the draws of a schedule other ones than those of all else.
constexpr u64 schedule_salt = 0x7363'6865'6475'6c65;

/// How long what is explored is expected to be.
u64 work_ns_of(Case const& made) {
    u64 const operations = made.keep ? made.keep->count() : made.operations;
    return operation_ns * std::max(operations, u64{1});
}

hosted::MachineConfig machine_of(Case const& made) {
    hosted::MachineConfig config;
    config.devices.push_back(std::make_shared<hosted::BlockDevice>(
        hosted::BlockConfig{.sectors = disk_sectors, .seed = made.seed}));
    config.memory_bytes = memory_bytes;
    config.cpus = made.cpus;
    std::string const keep = made.keep ? " keep=" + made.keep->text() : std::string();
    config.command_line = fmt::format(
        "console=pipe command=\"workload {} seed={} operations={} threads={}{}\"", made.workload,
        made.seed, made.operations, made.threads, keep);
    return config;
}

hosted::SimConfig config_of(Case const& made) {
    hosted::SimConfig config;
    config.seed = made.seed;
    config.costs = hosted::find_cost_table(made.costs).value_or(hosted::cost_tables().front());
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

/// Points that the kernel has met, whether they could fail or not.
void note_reached(Outcome& out, hosted::Machine const& machine) {
    for (u32 i = 0; i < fault_points; ++i) {
        u64 const reached = machine.point_reached(static_cast<FaultPoint>(i));
        auto const known = std::ranges::find(out.points, fault_point_names[i], &PointCounts::name);
        if (known != out.points.end()) {
            known->reached = std::max(known->reached, reached);
        } else if (reached != 0) {
            out.points.push_back({fault_point_names[i], reached, 0});
        }
    }
}

u64 host_ns() {
    auto const now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::nanoseconds(now).count());
}

} // namespace

CaseRun::CaseRun(Case made, std::shared_ptr<hosted::Schedule const> saved)
    : m_case(std::move(made)) {
    u64 const began_ns = host_ns();
    flip(m_case.mutant);
    hosted::SimConfig config = config_of(m_case);
    config.saved = std::move(saved);
    auto simulation = Simulation::create(machine_of(m_case), config);
    if (!simulation) {
        throw launch::Failure(launch::Status::unavailable, simulation.error());
    }
    m_simulation = std::move(*simulation);
    engine().limit({.moments = moments_max});
    m_host_ns = host_ns() - began_ns;
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

Outcome run_case(Case const& made, Exploration* exploration) {
    Exploration ignored;
    Exploration& explored = exploration == nullptr ? ignored : *exploration;
    explored = {};
    if (made.schedule.kind != Schedule::Kind::exhaustive) {
        CaseRun run(made);
        run.run();
        return run.outcome();
    }
    auto path = std::optional<BoundedSchedule::Path>(std::in_place);
    while (true) {
        CaseRun run(made); // with a disk that nothing was written to
        BoundedSchedule const schedule(made.schedule.bound, std::move(*path));
        run.engine().explore(schedule);
        run.run();
        Outcome outcome = run.outcome();
        auto const* const taken = dynamic_cast<BoundedSchedule const*>(run.engine().explored());
        path = BoundedSchedule::next_path(taken->path());
        explored.all = !path;
        if (outcome.failure || !path || explored.schedules == explored_schedules_max) {
            return outcome;
        }
        ++explored.schedules;
    }
}

} // namespace twofold::sim
