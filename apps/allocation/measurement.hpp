// Measures allocators by replaying one trace on each: runs interleaved A B A B, every run in a
// process of its own. Neighbours: worker_process.hpp (one run), replay_report.hpp (what is
// printed).
#pragma once

#include "apps/allocation/worker_process.hpp"

#include <vector>

namespace twofold::allocation {

struct MeasurementPlan {
    std::vector<Allocator> allocators;
    u32 repeats = 3;
    Touch touch = Touch::all;
    bool threads =
        false; ///< every recorded thread is a thread; otherwise one thread in recorded order
};

/// The figures of one allocator, one entry a repeat.
struct AllocatorFigures {
    Allocator allocator;
    std::vector<u64> wall_ns;
    std::vector<u64> cpu_ns;
    std::vector<u64> committed_peak_bytes; ///< empty when threads were replayed
    std::vector<u64> committed_end_bytes;
    ReplayOutcome outcome; ///< the worst of all repeats
};

/// The median of figures, the lower one of an even number of them; 0 of none.
u64 median(std::vector<u64> figures);

/// Runs all repeats. Throws launch::Failure as run_worker does. Committed memory is what the
/// process has more than one that does nothing, with the C library's own allocator: what an
/// allocator keeps for itself counts against it.
std::vector<AllocatorFigures> measure(Schedule const& schedule, MeasurementPlan const& plan);

} // namespace twofold::allocation
