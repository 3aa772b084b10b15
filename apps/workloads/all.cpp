// The list of workloads.
#include "apps/workloads/commands.hpp"
#include "apps/workloads/rooms.hpp"

namespace twofold::workloads {

namespace {

constexpr Workload const* in_order[] = {
    &base_workload,          &trace_workload,        &memory_map_workload, &frames_workload,
    &spaces_workload,        &translations_workload, &heap_workload,       &pools_workload,
    &acpi_workload,          &locks_workload,        &epochs_workload,     &interrupts_workload,
    &timers_workload,        &calls_workload,        &waits_workload,      &inversion_workload,
    &threads_workload,       &schedule_workload,     &forkjoin_workload,   &async_workload,
    &screen_workload,        &pci_workload,          &block_workload,      &mirror_workload,
    &nvme_pointers_workload, &nvme_faults_workload,  &ticks_workload,      &tokens_workload,
    &startup_workload,       &register_workload};

} // namespace

std::span<Workload const* const> all() {
    return in_order;
}

} // namespace twofold::workloads
