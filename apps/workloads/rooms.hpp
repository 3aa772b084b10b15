// The workloads of the rooms, in the order of the ladder.
#pragma once

#include "apps/workloads/workload.hpp"

namespace twofold::workloads {

extern Workload const frames_workload;

} // namespace twofold::workloads
