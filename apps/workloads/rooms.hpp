// The workloads of the rooms, in the order of the ladder.
#pragma once

#include "apps/workloads/workload.hpp"

namespace twofold::workloads {

extern Workload const trace_workload;
extern Workload const frames_workload;
extern Workload const spaces_workload;
extern Workload const translations_workload;
extern Workload const heap_workload;
extern Workload const locks_workload;
extern Workload const epochs_workload;
extern Workload const interrupts_workload;
extern Workload const timers_workload;
extern Workload const calls_workload;

} // namespace twofold::workloads
