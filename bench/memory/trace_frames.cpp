// The figures of trace_frames.hpp, of each trace of bench/memory/traces.
#include "tests/support/trace_frames.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace twofold;

void measure(benchmark::State& state, std::string const& name) {
    std::string const file = bench::read_trace(name);
    allocation::TraceProblem problem;
    auto const schedule = allocation::make_schedule(
        std::as_bytes(std::span(file)), allocation::Places::recycled, problem);
    if (!schedule) {
        state.SkipWithError(std::string(problem.what).c_str());
        return;
    }
    bench::TraceFigures figures;
    for (auto _ : state) {
        figures = bench::replay_trace(schedule.value());
    }
    state.counters["used_percent"] = figures.utilisation;
    state.counters["unusable_percent"] = figures.fragmentation;
    if (!figures.sound) {
        state.SkipWithError("a block or a frame was not what it must be");
    }
}

#define TRACE_BENCHMARKS(trace)                                                                    \
    BENCHMARK_CAPTURE(measure, trace, #trace)                                                      \
        ->Name("frame_utilisation_" #trace "/ours")                                                \
        ->Iterations(1);                                                                           \
    BENCHMARK_CAPTURE(measure, trace##_after, #trace)                                              \
        ->Name("frame_fragmentation_" #trace "/ours")                                              \
        ->Iterations(1)

TRACE_BENCHMARKS(compiler);
TRACE_BENCHMARKS(interpreter);
TRACE_BENCHMARKS(database);

} // namespace
