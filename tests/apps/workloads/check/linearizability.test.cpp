// The check of histories as kernel code.
#include "tests/apps/workloads/check/specs.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::workloads;

TEST(Linearizability, IsCheckedInTheKernel) {
    std::array<HistoryEntry<QueueSpec>, 3> history{};
    history[0] = {.op = {1}, .result = 0, .called = 0, .returned = 1};
    history[1] = {.op = {2}, .result = 0, .called = 2, .returned = 4};
    history[2] = {.op = {}, .result = 1, .called = 3, .returned = 5};
    std::array<SearchNode<QueueSpec>, 32> memory{};
    LinearizabilityReport report = check_linearizability<QueueSpec>(history, {}, memory);
    EXPECT_TRUE(report.verdict == Linearizability::holds);
    EXPECT_EQ(report.order_length, 3u);
    history[2].result = 2;
    report = check_linearizability<QueueSpec>(history, {}, memory);
    EXPECT_TRUE(report.verdict == Linearizability::violated);
    EXPECT_EQ(report.blocked, 2u);
}
