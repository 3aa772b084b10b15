// Writes a workload as bytes, for a kernel that runs it (workload_bytes.hpp). On the host.
#pragma once

#include "apps/sched/workload_bytes.hpp"

#include <vector>

namespace twofold::lab {

/// The file of a workload that `check_workload` takes. O(size).
std::vector<std::byte> write_workload(Workload const& workload, bool inherits);

} // namespace twofold::lab
