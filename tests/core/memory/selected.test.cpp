// The suite on the allocator that the build selected (-DTWOFOLD_HEAP=file, see
// docs/guides/write-an-allocator.md); without a choice, on the allocator of that guide.
#include <selected_allocator.hpp> // the guide's, or generated: includes the chosen file

#include "tests/core/memory/allocator_suite.hpp"
#include "tests/core/memory/debug_support.hpp"
#include "tests/core/memory/heap_support.hpp"

namespace twofold::memory::testing {
namespace {

static_assert(Allocator<SelectedAllocator>, "the selected class does not model Allocator");

TEST(SelectedAllocator, BadInput) {
    SelectedAllocator allocator(arena());
    check_bad_input(allocator);
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
}

TEST(SelectedAllocator, Resize) {
    SelectedAllocator allocator(arena());
    check_resize(allocator);
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
}

TEST(SelectedAllocator, RandomOperationsAgreeWithAModelOfIntervals) {
    SelectedAllocator allocator(arena());
    RandomTest<SelectedAllocator, 128> random(allocator, 11);
    random.run(20'000, 20'000, [](Random&) {});
    random.free_all();
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
}

TEST(SelectedAllocator, RunsOutOfMemoryAndRecovers) {
    for (u64 const bytes : {u64{0}, u64{100}, u64{8192}, u64{1} << 18}) {
        SelectedAllocator allocator(arena().first(bytes));
        for (int round = 0; round < 2; ++round) {
            std::byte* last = nullptr;
            Result<std::byte*> block = allocator.allocate({500}, {16});
            while (block) {
                std::memcpy(block.value(), &last, sizeof(last));
                last = block.value();
                block = allocator.allocate({500}, {16});
            }
            EXPECT_EQ(block.error(), Error::out_of_memory);
            EXPECT_TRUE(bytes < (u64{1} << 18) || last != nullptr);
            while (last != nullptr) {
                std::byte* const here = last;
                std::memcpy(&last, here, sizeof(last));
                ASSERT_TRUE(allocator.free(here).has_value());
            }
            EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
            EXPECT_TRUE(allocator.verify().has_value());
        }
    }
}

TEST(SelectedAllocator, FailuresOfAContainerLeaveNothingBehind) {
    SelectedAllocator allocator(arena().first(u64{1} << 18));
    {
        Vector<u64, SelectedAllocator> numbers(allocator);
        Result<void> pushed = numbers.push(0);
        while (pushed) {
            pushed = numbers.push(numbers.back() + 1);
        }
        EXPECT_EQ(pushed.error(), Error::out_of_memory);
        EXPECT_EQ(numbers.back(), numbers.size() - 1);
    }
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
    EXPECT_TRUE(allocator.verify().has_value());
}

TEST(SelectedAllocator, EveryAllocationFailsOnceAndFromThenOn) {
    SelectedAllocator allocator(arena());
    check_failures(allocator);
}

TEST(SelectedAllocator, RandomOperationsSurviveRandomFailures) {
    SelectedAllocator allocator(arena());
    FailingAllocator<SelectedAllocator> failing(allocator);
    RandomTest<FailingAllocator<SelectedAllocator>, 128> random(failing, 12);
    random.run(5'000, 20'000, [&failing](Random& choice) {
        failing.fail_at(choice.below(8) == 0 ? 1 : 0, false);
    });
    failing.fail_at(0, false);
    random.free_all();
    EXPECT_GT(failing.refused(), 100u);
    EXPECT_EQ(failing.out(), 0);
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
}

/// The allocator under the debugging layer, whose own suite runs on it.
TEST(SelectedAllocator, StandsUnderTheDebuggingLayer) {
    SelectedAllocator allocator(arena());
    DebugReports reports;
    auto& layer = *DebugLayer<SelectedAllocator>::create(allocator, reports).value();
    check_bad_input(layer);
    check_resize(layer);
    RandomTest<DebugLayer<SelectedAllocator>, 64> random(layer, 13);
    random.run(2'000, 5'000, [](Random&) {});
    random.free_all();
    EXPECT_EQ(layer.live_blocks(), 0u);
    EXPECT_EQ(reports.count, 0u);
    EXPECT_TRUE(DebugLayer<SelectedAllocator>::destroy(layer).has_value());
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
}

} // namespace
} // namespace twofold::memory::testing
