// What this program can run, as its own kernel says it.
#pragma once

#include "sim/case/case.hpp"

namespace twofold::sim {

/// The catalogue of this program, whose strings live as long as it does. Boots a kernel, which
/// lists its workloads.
Catalogue const& own_catalogue();

} // namespace twofold::sim
