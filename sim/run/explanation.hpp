// Whether what a workload had to bear is the work of a fault: an error that a kernel answers, or
// damaged data that it hands out, without a fault that leads to it is the kernel's own.
#pragma once

#include "hal/hosted/sim/sim_engine.hpp"

#include <string>

namespace twofold::sim {

/// What no fault of the run explains, as a line; empty: all is explained, or nothing was borne.
/// O(kinds).
std::string unexplained(hosted::SimEngine const& engine);

} // namespace twofold::sim
