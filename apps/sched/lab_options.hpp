// The options of twofold-sched.
#pragma once

#include "apps/arguments/arguments.hpp"
#include "apps/sched/machines.hpp"

#include <optional>
#include <string>
#include <vector>

namespace twofold::lab {

struct LabOptions {
    std::string workload;
    std::vector<std::string> policies;
    std::optional<Nanos> duration;
    std::optional<u32> cpus;
    u32 nodes = 1;
    u64 seed = 1;
    std::optional<Nanos> switch_cost = Nanos{}; ///< nothing: measured
    MachineStart start{.machine = LabMachine::process, .timeout_s = 600};
    i64 window_ms = 200;
    std::string trace;
    std::string plot;
    bool each = false;
    bool json = false;
    bool list = false;
};

/// Adds them all. `options` must outlive the parse.
void add_lab_options(Arguments& arguments, LabOptions& options);

} // namespace twofold::lab
