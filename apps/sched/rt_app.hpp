// Workloads as rt-app describes them (JSON). What is understood, key by key, is in
// docs/laboratory.md; every other key is refused by its name, path and line.
//
// Source: rt-app, doc/tutorial.txt (https://github.com/scheduler-tools/rt-app): the meaning of the
// keys, and of relative and absolute timers.
#pragma once

#include "apps/sched/workload_builder.hpp"

#include <string>
#include <string_view>

namespace twofold::lab {

/// What a file asks of a run, beside the workload.
struct RtAppWorkload {
    OwnedWorkload workload;
    bool inherits = false; ///< "pi_enabled"
};

/// The machine of a workload that does not describe its own, and how long it lasts without an end.
struct WorkloadDefaults {
    std::vector<Cpu> cpus;
    Nanos duration{};
};

/// The workload that `text` describes. Throws launch::Failure: `name`, line, path, reason.
RtAppWorkload
read_rt_app(std::string const& name, std::string_view text, WorkloadDefaults const& defaults);

} // namespace twofold::lab
