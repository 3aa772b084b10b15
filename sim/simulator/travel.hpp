// To any event of a recorded run: by the copy of the machine that lies before it.
#pragma once

#include "sim/record/recording.hpp"
#include "sim/run/case_run.hpp"

namespace twofold::sim {

/// Goes on until `moment`, or the end of the run (true).
bool run_until(CaseRun& run, u64 moment);

/// The run as bytes, for a recording, where it has paused.
std::vector<std::byte> copy_bytes(CaseRun& run);

/// `run`, which has not begun, is of the recording's case: takes it to the last copy at or before
/// `moment`, and answers the moment of that; 0: it is at its begin. Throws launch::Failure.
u64 jump_before(CaseRun& run, Recording const& recording, u64 moment);

/// A run, which has not begun, of what a recording is of. Throws launch::Failure.
CaseRun recorded_run(Recording const& recording);

/// "event 12 at 345 ns: processor 1: turn: idle".
std::string moment_text(hosted::SimMoment const& moment);

} // namespace twofold::sim
