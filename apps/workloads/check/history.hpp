// Histories as workloads check them: what no order explains is a failure of the run.
#pragma once

#include "apps/workloads/check/linearizability.hpp"
#include "apps/workloads/workload.hpp"

namespace twofold::workloads {

/// Expects that `history`, of at most 64 operations on an object that began as `initial`, is
/// linearizable. `what` and `number` name the object. Where `memory` is not enough to tell, nothing
/// is said. Cost: see check_linearizability. Context thread.
template<SequentialSpec Spec>
void expect_linearizable(
    Check& check,
    std::string_view what,
    u64 number,
    std::span<HistoryEntry<Spec> const> history,
    typename Spec::State const& initial,
    std::span<SearchNode<Spec>> memory) {
    LinearizabilityReport const report = check_linearizability<Spec>(history, initial, memory);
    if (report.verdict == Linearizability::violated) {
        check.run.fail(
            "{} {}: no order of {} operations explains what number {} of them has answered", what,
            number, history.size(), report.blocked);
    }
}

} // namespace twofold::workloads
