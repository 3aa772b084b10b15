// The bump heap and the list heap: the suite of every allocator, and what they make of memory that
// others used before.
#include "tests/core/memory/allocator_suite.hpp"
#include "tests/core/memory/heap_support.hpp"

namespace twofold::memory::testing {
namespace {

using namespace literals;

TEST(BumpHeap, Suite) {
    BumpHeap heap(arena());
    check_bad_input(heap);
    EXPECT_EQ(heap.statistics().reserved, Bytes{0});
    check_resize(heap);
    EXPECT_EQ(heap.statistics().reserved, Bytes{0});
    RandomTest<BumpHeap, 64> random(heap, 5);
    random.run(20'000, 2000, [](Random&) {});
    random.free_all();
    EXPECT_EQ(heap.statistics().reserved, Bytes{0});
}

TEST(ListHeap, Suite) {
    ListHeap heap(arena());
    check_bad_input(heap);
    check_resize(heap);
    RandomTest random(heap, 6);
    random.run(20'000, 20'000, [](Random&) {});
    random.free_all();
    EXPECT_EQ(heap.statistics().reserved, Bytes{0});
    // Everything is one block again.
    EXPECT_TRUE(heap.allocate({arena().size() - 64}, {16}).has_value());
}

TEST(BumpHeap, EveryAllocationFailsOnceAndFromThenOn) {
    BumpHeap heap(arena());
    check_failures(heap);
}

TEST(ListHeap, EveryAllocationFailsOnceAndFromThenOn) {
    ListHeap heap(arena());
    check_failures(heap);
}

/// What another heap, or other blocks, left where a block lies now is no block: interior pointers
/// are refused whatever the bytes before them were.
template<class H>
void check_leftovers() {
    std::byte* blocks[64];
    for (int round = 0; round < 3; ++round) {
        H heap(arena());
        for (std::byte*& block : blocks) {
            block = heap.allocate({32}, {16}).value();
        }
        if (round > 0) { // given back in two orders; the first round abandons them
            for (usize i = 0; i < std::size(blocks); ++i) {
                usize const at = round == 1 ? i : std::size(blocks) - 1 - i;
                ASSERT_TRUE(heap.free(blocks[at]).has_value());
            }
        }
        constexpr u64 size = 4096;
        std::byte* const large = heap.allocate({size}, {16}).value();
        for (u64 offset = 16; offset < size; offset += 16) {
            std::byte* const inside = memory::heap::byte_at(large, offset);
            ASSERT_EQ(heap.usable_size(inside).error(), Error::invalid_argument);
            ASSERT_EQ(heap.free(inside).error(), Error::invalid_argument);
        }
        EXPECT_TRUE(heap.free(large).has_value());
        EXPECT_EQ(heap.free(large).error(), Error::invalid_state);
        EXPECT_TRUE(heap.verify().has_value());
        H next(arena()); // on what all of this left behind
        std::byte* const whole = next.allocate({16'384}, {16}).value();
        for (u64 offset = 16; offset < 16'384; offset += 16) {
            ASSERT_EQ(
                next.free(memory::heap::byte_at(whole, offset)).error(), Error::invalid_argument);
        }
    }
}

TEST(BumpHeap, WhatWasLeftBehindIsNoBlock) {
    check_leftovers<BumpHeap>();
}

TEST(ListHeap, WhatWasLeftBehindIsNoBlock) {
    check_leftovers<ListHeap>();
}

/// A block of one allocator is foreign to every other.
TEST(Baselines, ABlockOfAnotherAllocatorIsRefused) {
    HeapUnderTest test(3_MiB);
    std::span<std::byte> const rest = arena().subspan(usize{3} << 20);
    ListHeap list(rest.first(usize{1} << 20));
    BumpHeap bump(rest.subspan(usize{1} << 20));
    auto const refuses = [](auto& allocator, std::byte* block) {
        return allocator.free(block).error() == Error::out_of_range &&
               allocator.usable_size(block).error() == Error::out_of_range &&
               allocator.resize(block, {10}, {16}).error() == Error::out_of_range;
    };
    for (u64 const size : {1, 100, 5000}) {
        std::byte* const of_heap = test.heap.allocate({size}, {16}).value();
        std::byte* const of_list = list.allocate({size}, {16}).value();
        std::byte* const of_bump = bump.allocate({size}, {16}).value();
        EXPECT_TRUE(refuses(test.heap, of_list) && refuses(test.heap, of_bump));
        EXPECT_TRUE(refuses(list, of_heap) && refuses(list, of_bump));
        EXPECT_TRUE(refuses(bump, of_heap) && refuses(bump, of_list));
        EXPECT_TRUE(test.heap.free(of_heap).has_value());
        EXPECT_TRUE(list.free(of_list).has_value() && bump.free(of_bump).has_value());
    }
    EXPECT_TRUE(test.heap.verify().has_value());
    EXPECT_TRUE(list.verify().has_value() && bump.verify().has_value());
}

TEST(ListHeap, NoMemoryAtAll) {
    ListHeap heap(arena().first(40));
    EXPECT_EQ(heap.allocate({1}, {1}).error(), Error::out_of_memory);
    EXPECT_TRUE(heap.verify().has_value());
}

} // namespace
} // namespace twofold::memory::testing
