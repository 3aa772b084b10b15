// What the laboratory prints: tables for people, JSON for programs (docs/laboratory.md).
#pragma once

#include "apps/sched/run.hpp"

#include <string>
#include <vector>

namespace twofold::lab {

struct ScheduleSummary {
    u64 happenings = 0;
    u32 checksum = 0; ///< of these
};

/// One policy's run.
struct ReportedRun {
    std::string policy;
    std::optional<Nanos> switch_cost; ///< nothing: it was run live, and so is `schedule`
    RunOutcome outcome;
    std::optional<ScheduleSummary> schedule;
};

/// What all runs of a report have in common.
struct ReportedSetting {
    std::string workload;
    u64 seed = 0;
    Nanos duration{};
    std::string machine; ///< that it was run on
    bool is_cost_measured = false;
};

/// A table of one run: a line for all threads of a name (with `each` one for every thread), one for
/// each class, and what the processors did.
std::string run_table(
    Workload const& workload, ReportedSetting const& setting, ReportedRun const& run, bool each);

/// One table of several runs, a column for each.
std::string compare_table(
    Workload const& workload, ReportedSetting const& setting, std::vector<ReportedRun> const& runs);

/// One object with everything, every thread of every run included.
std::string report_json(
    Workload const& workload, ReportedSetting const& setting, std::vector<ReportedRun> const& runs);

} // namespace twofold::lab
