// One run of a workload under a policy, on the host.
#pragma once

#include "apps/sched/class_parameters.hpp"
#include "apps/sched/sink.hpp"
#include "apps/sched/statistics.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace twofold::lab {

struct RunOptions {
    std::string policy; ///< the name of a class
    Nanos switch_cost{};
    Nanos duration{};
    bool inherits = false;
};

/// A thread that admission control did not take.
struct Refusal {
    u32 thread = 0;
    Error error{};
    std::string reason; ///< in words
};

struct RunOutcome {
    std::optional<Refusal> refusal; ///< then nothing has run
    RunFigures figures;
};

/// The refusal of a thread, with the reason in words.
Refusal refusal_of(Workload const& workload, u32 thread, Error error);

/// Runs it. `sinks` are told what happens. O(events log threads).
RunOutcome run_workload(Workload const& workload, RunOptions const& options, Sinks sinks);

} // namespace twofold::lab
