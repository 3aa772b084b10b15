// Box, Vector and String over an allocator: values, moves, lifetimes, and every allocation failing.
#include "tests/core/memory/failing_allocator.hpp"
#include "tests/core/memory/heap_support.hpp"
#include "tests/support/test.hpp"

namespace twofold::memory::testing {
namespace {

using FailingHeap = FailingAllocator<TestHeap>;

/// Counts those that exist.
struct Counted {
    Counted(i64& count, u64 number) : living(&count), value(number) { ++*living; }
    Counted(Counted&& other) noexcept : living(other.living), value(other.value) { ++*living; }
    Counted(Counted const&) = delete;
    Counted& operator=(Counted const&) = delete;
    Counted& operator=(Counted&&) = delete;
    ~Counted() { --*living; }

    i64* living;
    u64 value;
};

TEST(Box, HoldsAValueAndMoves) {
    HeapUnderTest test;
    i64 living = 0;
    {
        auto answer = Box<u64, TestHeap>::create(test.heap, u64{42}).value();
        EXPECT_EQ(*answer, 42u);
        auto first = Box<Counted, TestHeap>::create(test.heap, living, u64{1}).value();
        auto second = Box<Counted, TestHeap>::create(test.heap, living, u64{2}).value();
        EXPECT_EQ(living, 2);
        first = std::move(second);
        EXPECT_EQ(first->value, 2u);
        Box<Counted, TestHeap> const third = std::move(first);
        EXPECT_EQ(third->value, 2u);
    }
    EXPECT_EQ(living, 0);
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
}

TEST(Box, KeepsTheAlignmentOfItsType) {
    struct alignas(256) Wide {
        u64 value = 7;
    };
    HeapUnderTest test;
    for (int i = 0; i < 20; ++i) {
        auto const box = Box<Wide, TestHeap>::create(test.heap).value();
        EXPECT_TRUE(is_aligned(heap::address_of(&*box), 256));
        EXPECT_EQ(box->value, 7u);
    }
}

TEST(Vector, GrowsAndKeepsItsValues) {
    HeapUnderTest test;
    {
        Vector<u64, TestHeap> numbers(test.heap);
        EXPECT_TRUE(numbers.push(1).has_value());
        EXPECT_EQ(numbers.front(), 1u);
        for (u64 i = 1; i < 10'000; ++i) {
            ASSERT_TRUE(numbers.push(numbers.back() + 1).has_value());
        }
        u64 sum = 0;
        for (u64 const number : numbers) {
            sum += number;
        }
        EXPECT_EQ(sum, 50'005'000u);
        EXPECT_EQ(numbers.pop(), 10'000u);
        EXPECT_EQ(numbers.size(), 9'999u);
        Vector<u64, TestHeap> const moved = std::move(numbers);
        EXPECT_EQ(moved[4], 5u);
    }
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
}

TEST(Vector, RoomThatCannotBeCounted) {
    HeapUnderTest test;
    Vector<u64, TestHeap> numbers(test.heap);
    EXPECT_EQ(numbers.reserve(~u64{0} / 8 + 1).error(), Error::out_of_memory);
    EXPECT_EQ(numbers.reserve(~u64{0} / 8).error(), Error::out_of_memory);
    EXPECT_TRUE(numbers.empty());
}

TEST(Vector, EveryAllocationFailsOnceAndFromThenOn) {
    HeapUnderTest test;
    FailingHeap failing(test.heap);
    i64 living = 0;
    auto const fill = [&](u64 count) {
        Vector<Counted, FailingHeap> items(failing);
        u64 refused = 0;
        for (u64 i = 0; i < count; ++i) {
            Result<void> const pushed = items.emplace(living, i);
            refused += pushed ? 0 : 1;
            EXPECT_EQ(items.size(), i + 1 - refused);
            EXPECT_EQ(living, static_cast<i64>(items.size()));
        }
        return refused;
    };
    failing.fail_at(0, false);
    EXPECT_EQ(fill(100), 0u);
    u64 const allocations = failing.asked();
    EXPECT_GT(allocations, 4u);
    for (u64 number = 1; number <= allocations; ++number) {
        for (bool const for_ever : {false, true}) {
            failing.fail_at(number, for_ever);
            EXPECT_GT(fill(100), 0u);
            EXPECT_EQ(living, 0);
            EXPECT_EQ(failing.out(), 0);
            EXPECT_TRUE(test.heap.verify().has_value());
        }
    }
}

TEST(String, AppendsAlsoToItself) {
    HeapUnderTest test;
    FailingHeap failing(test.heap);
    {
        auto text = String<FailingHeap>::create(failing, "two").value();
        EXPECT_TRUE(text.append("fold").has_value());
        EXPECT_TRUE(text == "twofold");
        for (int i = 0; i < 8; ++i) {
            EXPECT_TRUE(text.append(text).has_value());
        }
        EXPECT_EQ(text.size(), 7u * 256);
        EXPECT_TRUE(text.view().substr(7 * 255) == "twofold");
        failing.fail_at(1, true);
        EXPECT_EQ(text.append(text).error(), Error::out_of_memory);
        EXPECT_EQ(text.size(), 7u * 256);
    }
    EXPECT_EQ(failing.out(), 0);
}

} // namespace
} // namespace twofold::memory::testing
