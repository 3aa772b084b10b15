// See travel.hpp.
#include "sim/simulator/travel.hpp"

#include "apps/launch/status.hpp"
#include "hal/hosted/sim/snapshot_bytes.hpp"
#include "hal/hosted/state_archive.hpp"
#include "sim/record/schedule_file.hpp"
#include "sim/run/catalogue.hpp"
#include "sim/trace/trace.hpp"

#include <fmt/format.h>

namespace twofold::sim {

bool run_until(CaseRun& run, u64 moment) {
    run.engine().limit({.moments = moment});
    return run.run();
}

std::vector<std::byte> copy_bytes(CaseRun& run) {
    Simulation::Copy copy = run.simulation().copy();
    std::vector<std::byte> machine = hosted::snapshot_bytes(copy.machine);
    hosted::StateArchive state;
    state(copy.output);
    state(copy.power_cuts);
    state(machine);
    return state.take();
}

u64 jump_before(CaseRun& run, Recording const& recording, u64 moment) {
    auto const found = recording.copy_before(moment);
    if (!found) {
        return 0;
    }
    Simulation::Copy copy = run.simulation().copy();
    std::vector<std::byte> machine;
    hosted::StateArchive state(found->bytes);
    state(copy.output);
    state(copy.power_cuts);
    state(machine);
    auto snapshot = hosted::snapshot_of(machine, copy.machine);
    if (state.has_failed() || !snapshot) {
        throw launch::Failure(
            launch::Status::usage,
            "the recording is damaged: a copy of the machine is not one of its machine");
    }
    copy.machine = std::move(*snapshot);
    run.simulation().assign(copy);
    return found->moment;
}

CaseRun recorded_run(Recording const& recording) {
    auto const made = parse_case(recording.run(), own_catalogue());
    if (!made) {
        throw launch::Failure(
            launch::Status::usage, "the recording's case: " + made.error().reason);
    }
    std::shared_ptr<hosted::Schedule const> saved;
    if (!recording.schedule().empty()) {
        saved = parse_schedule_text("the recording's schedule", recording.schedule());
    }
    return CaseRun(*made, std::move(saved));
}

std::string moment_text(hosted::SimMoment const& moment) {
    bool const is_device = moment.kind == hosted::SimMoment::Kind::device;
    return fmt::format(
        "event {} at {} ns: {} {}: {}", moment.number, moment.at_ns,
        is_device ? "device" : "processor", moment.slot, moment_name(moment.kind, moment.value));
}

} // namespace twofold::sim
