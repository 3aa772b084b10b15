// The commands that run workloads: `workloads`, `workload NAME key=value...`.
#pragma once

#include "apps/workloads/workload.hpp"

namespace twofold::workloads {

/// All workloads, in the order of the ladder.
std::span<Workload const* const> all();

/// For images that carry workloads.
boot::CommandTable commands();

} // namespace twofold::workloads
