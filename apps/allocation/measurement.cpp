// The runs of a measurement. See measurement.hpp.
#include "apps/allocation/measurement.hpp"

#include <algorithm>

namespace twofold::allocation {

namespace {

/// Committed memory barely varies; this many repeats show by how much.
constexpr u32 memory_repeats_max = 3;

/// Anonymous memory of a worker that replays nothing: stack, tables of the loader, data.
u64 idle_worker_bytes() {
    OrderFile order{Schedule{}};
    order.set(Measure::memory, Touch::all);
    return run_worker(order, {"glibc", ""}).anonymous_start_bytes;
}

void note_outcome(ReplayOutcome& worst, ReplayOutcome const& seen) {
    worst.refused = std::max(worst.refused, seen.refused);
    worst.misaligned = std::max(worst.misaligned, seen.misaligned);
    if (seen.wrong_content > worst.wrong_content) {
        worst.wrong_content = seen.wrong_content;
        worst.first_wrong_operation = seen.first_wrong_operation;
    }
}

} // namespace

u64 median(std::vector<u64> figures) {
    if (figures.empty()) {
        return 0;
    }
    auto const middle = figures.begin() + static_cast<std::ptrdiff_t>((figures.size() - 1) / 2);
    std::ranges::nth_element(figures, middle);
    return *middle;
}

std::vector<AllocatorFigures> measure(Schedule const& schedule, MeasurementPlan const& plan) {
    u64 const idle_bytes = plan.threads ? 0 : idle_worker_bytes();
    OrderFile order(schedule);
    std::vector<AllocatorFigures> figures;
    for (Allocator const& allocator : plan.allocators) {
        figures.emplace_back().allocator = allocator;
    }
    for (u32 repeat = 0; repeat < plan.repeats; ++repeat) {
        for (AllocatorFigures& one : figures) {
            order.set(plan.threads ? Measure::threads : Measure::time, plan.touch);
            WorkResult const timed = run_worker(order, one.allocator);
            one.wall_ns.push_back(timed.wall_ns);
            one.cpu_ns.push_back(timed.cpu_ns);
            note_outcome(one.outcome, timed.outcome);
            if (plan.threads || repeat >= memory_repeats_max) {
                continue;
            }
            order.set(Measure::memory, plan.touch);
            WorkResult const watched = run_worker(order, one.allocator);
            one.committed_peak_bytes.push_back(
                watched.anonymous_peak_bytes - std::min(watched.anonymous_peak_bytes, idle_bytes));
            one.committed_end_bytes.push_back(
                watched.anonymous_end_bytes - std::min(watched.anonymous_end_bytes, idle_bytes));
            note_outcome(one.outcome, watched.outcome);
        }
    }
    return figures;
}

} // namespace twofold::allocation
