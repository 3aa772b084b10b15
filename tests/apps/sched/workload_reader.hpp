// Reads a workload from bytes into vectors, as tests and the fuzz target do.
#pragma once

#include "apps/sched/workload_builder.hpp"
#include "apps/sched/workload_bytes.hpp"

namespace twofold::lab {

/// What was read, as far as that went; `workload` refers to `owned`.
struct ReadWorkload {
    OwnedWorkload owned;
    Result<WorkloadHeader> header = Error::invalid_state;
    Result<Workload> workload = Error::invalid_state;
};

inline ReadWorkload read_owned(std::span<std::byte const> bytes) {
    ReadWorkload made;
    made.header = read_workload_header(bytes);
    if (!made.header) {
        made.workload = made.header.error();
        return made;
    }
    WorkloadCounts const& counts = made.header.value().counts;
    OwnedWorkload& owned = made.owned;
    owned.cpus.resize(counts.cpus);
    owned.tasks.resize(counts.tasks);
    owned.operations.resize(counts.operations);
    owned.schedulings.resize(counts.schedulings);
    owned.affinities.resize(counts.affinities);
    owned.queues.resize(counts.queues);
    owned.barriers.resize(counts.barriers);
    made.workload = read_workload(
        bytes, made.header.value(),
        {.cpus = owned.cpus,
         .tasks = owned.tasks,
         .operations = owned.operations,
         .schedulings = owned.schedulings,
         .affinities = owned.affinities,
         .queues = owned.queues,
         .barriers = owned.barriers});
    return made;
}

} // namespace twofold::lab
