// See catalogue.hpp.
#include "sim/run/catalogue.hpp"

#include "apps/json/reader.hpp"
#include "apps/launch/status.hpp"
#include "hal/hosted/sim/costs.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "sim/mutants/mutants.hpp"
#include "sim/run/build_id.hpp"
#include "sim/run/simulation.hpp"

#include <deque>

namespace twofold::sim {

namespace {

/// What a kernel prints for `workloads`.
std::string listed_workloads() {
    hosted::MachineConfig config;
    config.command_line = "console=pipe json=on command=workloads";
    auto simulation = Simulation::create(std::move(config), {});
    if (!simulation) {
        throw launch::Failure(launch::Status::unavailable, simulation.error());
    }
    (*simulation)->run();
    CHECK(!(*simulation)->failure());
    return (*simulation)->output();
}

/// For as long as the program runs.
std::string_view keep(std::string text) {
    static std::deque<std::string> kept;
    return kept.emplace_back(std::move(text));
}

WorkloadKind workload_of(json::Reader const& row) {
    WorkloadKind kind;
    row.for_each(json::Kind::object, [&kind](json::Reader const& member) {
        constexpr u64 most = ~u32{0};
        if (member.key() == "name") {
            kind.name = keep(member.text());
        } else if (member.key() == "about") {
            kind.about = keep(member.text());
        } else if (member.key() == "operations") {
            kind.operations = static_cast<u32>(member.whole(1, most));
        } else if (member.key() == "cpus") {
            kind.cpus = static_cast<u32>(member.whole(1, most));
        } else if (member.key() == "threads") {
            kind.threads = static_cast<u32>(member.whole(1, most));
        } else if (member.key() == "machines") {
            kind.machines = static_cast<u32>(member.whole(1, most));
        }
    });
    return kind;
}

std::vector<WorkloadKind> workloads() {
    std::string const file = "the kernel's list of workloads";
    json::Value const root = json::parse(file, listed_workloads());
    std::vector<WorkloadKind> found;
    json::Reader(file, root).for_each(json::Kind::object, [&found](json::Reader const& member) {
        if (member.key() == "output") {
            member.for_each(json::Kind::array, [&found](json::Reader const& row) {
                found.push_back(workload_of(row));
            });
        }
    });
    return found;
}

} // namespace

Catalogue const& own_catalogue() {
    static Catalogue const catalogue = [] {
        Catalogue made{
            .build = build_id(),
            .workloads = workloads(),
            .faults = hosted::FaultKinds(hosted::device_fault_kinds()),
            .mutants = mutant_names(),
            .costs = {}};
        // A turn ends by time. Where what computes takes a nanosecond a step, it ends between any
        // two steps as likely; by what they take indeed, seldom within a short race.
        constexpr std::string_view usual = "steps";
        made.costs.push_back(usual);
        for (hosted::CostTable const& table : hosted::cost_tables()) {
            if (table.name != usual) {
                made.costs.push_back(table.name);
            }
        }
        return made;
    }();
    return catalogue;
}

} // namespace twofold::sim
