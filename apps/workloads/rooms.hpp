// The workloads of the rooms, in the order of the ladder.
#pragma once

#include "apps/workloads/workload.hpp"

namespace twofold::workloads {

extern Workload const base_workload;
extern Workload const trace_workload;
extern Workload const memory_map_workload;
extern Workload const frames_workload;
extern Workload const spaces_workload;
extern Workload const translations_workload;
extern Workload const heap_workload;
extern Workload const pools_workload;
extern Workload const acpi_workload;
extern Workload const locks_workload;
extern Workload const epochs_workload;
extern Workload const interrupts_workload;
extern Workload const timers_workload;
extern Workload const calls_workload;
extern Workload const waits_workload;
extern Workload const inversion_workload;
extern Workload const threads_workload;
extern Workload const schedule_workload;
extern Workload const forkjoin_workload;
extern Workload const async_workload;
extern Workload const screen_workload;
extern Workload const pci_workload;
extern Workload const ticks_workload;
extern Workload const block_workload;
extern Workload const mirror_workload;
extern Workload const nvme_pointers_workload;
extern Workload const nvme_faults_workload;
extern Workload const tokens_workload;
extern Workload const startup_workload;
extern Workload const register_workload;

} // namespace twofold::workloads
