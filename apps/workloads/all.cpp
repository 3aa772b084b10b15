// The list of workloads.
#include "apps/workloads/commands.hpp"
#include "apps/workloads/rooms.hpp"

namespace twofold::workloads {

namespace {

constexpr Workload const* in_order[] = {
    &trace_workload,  &frames_workload, &spaces_workload, &translations_workload,
    &heap_workload,   &locks_workload,  &epochs_workload, &interrupts_workload,
    &timers_workload, &calls_workload};

} // namespace

std::span<Workload const* const> all() {
    return in_order;
}

} // namespace twofold::workloads
