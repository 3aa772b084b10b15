// What a program leaves of the memory is gated: the figures depend on nothing but the trace.
#include "tests/support/trace_frames.hpp"

#include <gtest/gtest.h>

namespace twofold::bench {
namespace {

class TraceFrames : public ::testing::TestWithParam<char const*> {};

TEST_P(TraceFrames, AreUsedWellAndStayUsable) {
    std::string const file = read_trace(GetParam());
    allocation::TraceProblem problem;
    auto const schedule = allocation::make_schedule(
        std::as_bytes(std::span(file)), allocation::Places::recycled, problem);
    ASSERT_TRUE(schedule.has_value()) << problem.what;
    TraceFigures const figures = replay_trace(schedule.value());
    EXPECT_TRUE(figures.sound);
    // The goal of the first, 1, is met; of the second, 90 (docs/memory.md), what is reached, so
    // that it gets no worse.
    EXPECT_LE(figures.fragmentation, 1.0);
    EXPECT_GE(figures.utilisation, 84.0);
    EXPECT_LE(figures.utilisation, 100.0);
}
INSTANTIATE_TEST_SUITE_P(
    Traces, TraceFrames, ::testing::Values("compiler", "interpreter", "database"));

} // namespace
} // namespace twofold::bench
