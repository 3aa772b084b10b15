// Schedules that Linux has recorded, as workloads: each thread computes as much, between one
// wake-up and the next, as it did then, and is woken when it was woken then. So the arrivals stay
// what they were, whatever a policy makes of them; a thread that is late goes on at once with what
// came meanwhile.
//
// What is read is text of the trace points sched_switch, sched_waking, sched_wakeup and
// sched_wakeup_new, in the forms of `perf sched script` and `trace-cmd report` (and of ftrace's own
// file `trace`): both print the fields by their names or, with a plug-in, in a short form. Other
// trace points, comments and blank lines are passed over; any other line is refused by its number.
//
// A thread that runs when the recording begins starts with it. Idle threads (of number 0) are left
// out. Time that a thread was runnable and did not run is not part of its work.
#pragma once

#include "apps/sched/workload_builder.hpp"

#include <string>
#include <string_view>

namespace twofold::lab {

/// Whether the text looks like a recording, by its first line that tells.
bool is_recording(std::string_view text);

/// The workload that `text` recorded, for as many processors as it names. Throws launch::Failure:
/// `name`, line, reason.
OwnedWorkload read_recording(std::string const& name, std::string_view text);

} // namespace twofold::lab
