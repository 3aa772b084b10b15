// Computation that takes time: where kernel code is compiled so that each edge of its control flow
// calls a hook (clang's -fsanitize-coverage=trace-pc-guard; SanitizerCoverage, "Tracing PCs with
// guards"; the option TWOFOLD_SIM_EDGES), each is a point. So a loop that only computes comes to
// its end in time, other processors may run between any two accesses to memory that lie on
// different edges, and a race on what is no Atomic shows. Elsewhere nothing calls these.
//
// Nothing in this folder is compiled with the hook.
#include "hal/hosted/sim/point.hpp"

extern "C" void __sanitizer_cov_trace_pc_guard(twofold::u32* guard);
extern "C" void __sanitizer_cov_trace_pc_guard_init(twofold::u32* start, twofold::u32* stop);

void __sanitizer_cov_trace_pc_guard(twofold::u32*) {
    hosted::sim_point<hosted::SimOperation::edge>();
}

void __sanitizer_cov_trace_pc_guard_init(twofold::u32*, twofold::u32*) {}
