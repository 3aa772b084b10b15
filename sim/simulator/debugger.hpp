// Where a debugger stops the simulator at an event (tools/gdb/simulated.py).
#pragma once

#include "sim/run/case_run.hpp"

namespace twofold::sim {

/// `run` has paused: passes sim_stopped with where its processors stand, whose stacks can be read
/// then. What happens in the run does not change.
void stop_for_debugger(CaseRun& run);

/// A place for a breakpoint; `machine` is for the debugger alone.
extern "C" [[gnu::noinline]] void sim_stopped(void const* machine);

} // namespace twofold::sim
