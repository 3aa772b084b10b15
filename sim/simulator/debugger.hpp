// Where a debugger stops the simulator at an event (tools/gdb/simulated.py).
#pragma once

#include "sim/run/case_run.hpp"

namespace twofold::sim {

/// `run` has paused: passes sim_stopped with where its processors stand, whose stacks can be read
/// then. What happens in the run does not change.
void stop_for_debugger(CaseRun& run);

} // namespace twofold::sim
