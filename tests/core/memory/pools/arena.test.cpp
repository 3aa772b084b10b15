// The bump arena: alignment, chunks, checkpoints, failures, containers, and a model.
#include "tests/core/memory/allocator_suite.hpp"
#include "tests/core/memory/pools/support.hpp"

#include <array>

namespace twofold::memory::testing {
namespace {

using namespace twofold::literals;

/// The kernel's heap, with allocations that fail on demand; counts what is out.
class FailingHeap {
public:
    Result<std::byte*> allocate(Bytes size, Bytes alignment) {
        ++m_calls;
        if (m_fail_at != 0 && m_calls >= m_fail_at && (m_for_good || m_calls == m_fail_at)) {
            return Error::out_of_memory;
        }
        std::byte* const block = TRY(inner().allocate(size, alignment));
        ++m_out;
        return block;
    }
    Result<void> free(std::byte* block) {
        TRY(inner().free(block));
        --m_out;
        return {};
    }
    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment) {
        return inner().resize(block, size, alignment);
    }
    Result<Bytes> usable_size(std::byte* block) { return inner().usable_size(block); }
    AllocatorStatistics statistics() const { return inner().statistics(); }
    Result<void> verify() { return inner().verify(); }

    void fail_at(u64 number, bool for_good) {
        m_fail_at = m_calls + number;
        m_for_good = for_good;
    }
    u64 calls() const { return m_calls; }
    u64 out() const { return m_out; }

private:
    static KernelHeap& inner() { return *boot::current_kernel().heap; }

    u64 m_calls = 0;
    u64 m_out = 0;
    u64 m_fail_at = 0;
    bool m_for_good = false;
};
static_assert(Allocator<FailingHeap>);

using Arena = BumpArena<FailingHeap>;

/// An arena that must leave nothing behind.
struct ArenaUnderTest {
    explicit ArenaUnderTest(Bytes chunk = 1_KiB) { arena.emplace(heap, chunk); }
    ~ArenaUnderTest() {
        EXPECT_TRUE(arena->verify().has_value());
        arena.reset();
        EXPECT_EQ(heap.out(), 0u);
    }
    Arena* operator->() { return &*arena; }

    FailingHeap heap;
    std::optional<Arena> arena;
};

TEST(BumpArena, CutsAlignedBlocksOneBehindTheOther) {
    ArenaUnderTest test;
    EXPECT_EQ(test.heap.calls(), 0u); // takes nothing before it is asked
    std::byte* const first = test->allocate(10_B).value();
    std::byte* const second = test->allocate(10_B, 1_B).value();
    EXPECT_EQ(second, first + 10);
    for (u64 alignment = 1; alignment <= 8192; alignment *= 2) {
        std::byte* const block = test->allocate(7_B, {alignment}).value();
        EXPECT_TRUE(is_aligned(heap::address_of(block), alignment));
        write_marks(block, 7, alignment);
        EXPECT_TRUE(test->holds(block));
    }
    EXPECT_TRUE(test->verify().has_value());
    EXPECT_EQ(test->allocate(0_B).error(), Error::invalid_argument);
    EXPECT_EQ(test->allocate(8_B, 0_B).error(), Error::invalid_argument);
    EXPECT_EQ(test->allocate(8_B, 24_B).error(), Error::invalid_argument);
    for (u64 const size : huge_sizes) {
        EXPECT_EQ(test->allocate({size}).error(), Error::out_of_memory);
        EXPECT_EQ(test->allocate({size}, 4_KiB).error(), Error::out_of_memory);
    }
    EXPECT_EQ(test->allocate(8_B, {u64{1} << 62}).error(), Error::out_of_memory);
    EXPECT_EQ(test->make_array<u64>(~u64{0}).error(), Error::out_of_memory);
    EXPECT_EQ(test->make_array<u64>(u64{1} << 61).error(), Error::out_of_memory);
    EXPECT_GE(test->statistics().refused, 13u);
}

TEST(BumpArena, MakesObjects) {
    struct Pair {
        u32 a;
        u64 b;
    };
    ArenaUnderTest test;
    Pair* const pair = test->make<Pair>(u32{1}, u64{2}).value();
    EXPECT_EQ(pair->a + pair->b, 3u);
    std::span<u64> const zeros = test->make_array<u64>(1000).value(); // more than a chunk
    for (u64 const each : zeros) {
        ASSERT_EQ(each, 0u);
    }
    EXPECT_EQ(test->statistics().chunks, 2u);
    EXPECT_EQ(test->make_array<u64>(0).error(), Error::invalid_argument);
}

TEST(BumpArena, GoesBackToItsCheckpoints) {
    ArenaUnderTest test;
    auto const start = test->checkpoint().value();
    std::byte* const first = test->allocate(100_B).value();
    auto const middle = test->checkpoint().value();
    std::byte* const second = test->allocate(100_B).value();
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(test->allocate(600_B).has_value());
    }
    auto const late = test->checkpoint().value();
    EXPECT_GE(test->statistics().chunks, 10u);
    EXPECT_TRUE(test->rewind(middle).has_value());
    EXPECT_EQ(test->statistics().chunks, 1u);
    EXPECT_EQ(test.heap.out(), 1u);
    EXPECT_TRUE(test->holds(first));
    EXPECT_FALSE(test->holds(second));
    // What lay behind is gone, and so is the checkpoint itself.
    EXPECT_EQ(test->rewind(late).error(), Error::invalid_state);
    EXPECT_EQ(test->rewind(middle).error(), Error::invalid_state);
    ArenaUnderTest other;
    EXPECT_EQ(other->rewind(start).error(), Error::invalid_argument);
    auto const again = test->checkpoint().value();
    EXPECT_EQ(test->allocate(100_B).value(), second);
    EXPECT_EQ(test->rewind(middle).error(), Error::invalid_state); // another's number
    EXPECT_TRUE(test->rewind(again).has_value());
    EXPECT_TRUE(test->rewind(start).has_value());
    EXPECT_EQ(test->statistics().chunks, 0u);
    EXPECT_EQ(test->statistics().used, 0_B);
    EXPECT_EQ(test->rewind(start).error(), Error::invalid_state);
}

TEST(BumpArena, ForgetsEverythingAtOnce) {
    ArenaUnderTest test;
    std::byte* const first = test->allocate(100_B).value();
    auto const mark = test->checkpoint().value();
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(test->allocate(300_B).has_value());
    }
    test->reset();
    EXPECT_EQ(test->rewind(mark).error(), Error::invalid_state);
    EXPECT_EQ(test->statistics().chunks, 1u); // an ordinary one is kept
    u64 const calls = test.heap.calls();
    EXPECT_EQ(test->allocate(100_B).value(), first);
    EXPECT_EQ(test.heap.calls(), calls);
    test->reset();
    test->reset();
    // A chunk of its own for one large block is not kept.
    ArenaUnderTest large;
    EXPECT_TRUE(large->allocate(64_KiB).has_value());
    large->reset();
    EXPECT_EQ(large->statistics().chunks, 0u);
    EXPECT_EQ(large.heap.out(), 0u);
}

Result<void> work(Arena& arena) {
    TRY(arena.make<u64>(u64{1}));
    auto const mark = TRY(arena.checkpoint());
    TRY(arena.allocate(900_B));
    TRY(arena.allocate(900_B));
    TRY(arena.allocate(5_KiB, 4_KiB));
    TRY(arena.rewind(mark));
    ArenaAllocator allocator(arena);
    Vector<u64, ArenaAllocator<FailingHeap>> numbers(allocator);
    for (u64 i = 0; i < 500; ++i) {
        TRY(numbers.push(i));
    }
    for (u64 i = 0; i < 500; ++i) {
        EXPECT_EQ(numbers[i], i);
    }
    auto text = TRY(String<ArenaAllocator<FailingHeap>>::create(allocator, "two"));
    TRY(text.append("fold"));
    EXPECT_EQ(text.view(), "twofold");
    return {};
}

TEST(BumpArena, EveryAllocationFailsOnceAndFromThenOn) {
    u64 calls = 0;
    {
        ArenaUnderTest test;
        EXPECT_TRUE(work(*test.arena).has_value());
        calls = test.heap.calls();
    }
    EXPECT_GE(calls, 6u);
    for (u64 number = 1; number <= calls; ++number) {
        for (bool const for_good : {false, true}) {
            ArenaUnderTest test;
            test.heap.fail_at(number, for_good);
            EXPECT_EQ(work(*test.arena).error(), Error::out_of_memory);
            EXPECT_TRUE(test->verify().has_value());
            test->reset();
            EXPECT_TRUE(test->verify().has_value());
        }
    }
}

TEST(ArenaAllocator, IsAnAllocatorLikeAnyOther) {
    ArenaUnderTest test(16_KiB);
    ArenaAllocator allocator(*test.arena);
    static_assert(Allocator<ArenaAllocator<FailingHeap>>);
    check_bad_input(allocator);
    check_resize(allocator);
    RandomTest<ArenaAllocator<FailingHeap>, 64> random(allocator, 5);
    for (int round = 0; round < 5; ++round) {
        random.run(500, 3000, [](Random&) {});
        random.free_all();
        EXPECT_EQ(allocator.statistics().reserved, 0_B);
        test->reset();
    }
}

TEST(ArenaAllocator, WhatLayThereBeforeIsNoBlock) {
    ArenaUnderTest test(16_KiB);
    ArenaAllocator allocator(*test.arena);
    ASSERT_TRUE(allocator.allocate(64_B, 16_B).has_value()); // its chunk outlives the rewind
    auto const mark = test->checkpoint().value();
    std::byte* const freed = allocator.allocate(64_B, 16_B).value();
    std::byte* const lived = allocator.allocate(64_B, 16_B).value();
    ASSERT_TRUE(allocator.free(freed).has_value());
    ASSERT_TRUE(test->rewind(mark).has_value());
    ASSERT_TRUE(allocator.allocate(4_KiB, 16_B).has_value()); // over all of them
    for (std::byte* const inside : {freed, lived}) {
        auto const outcome = allocator.free(inside);
        ASSERT_FALSE(outcome.has_value());
        EXPECT_EQ(outcome.error(), Error::invalid_argument);
    }
}

/// Random operations beside a model: the blocks that live, with marks, and the checkpoints.
TEST(BumpArena, AgreesWithAModel) {
    struct Block {
        std::byte* start;
        u64 size;
        u64 key;
    };
    struct Mark {
        Arena::Checkpoint checkpoint;
        u64 blocks;
    };
    ArenaUnderTest test;
    Random random(7);
    std::array<Block, 256> blocks{};
    std::array<Mark, 32> marks{};
    std::array<Arena::Checkpoint, 32> gone{};
    u64 block_count = 0;
    u64 mark_count = 0;
    u64 gone_count = 0;
    for (u64 step = 0; step < 20'000; ++step) {
        u64 const choice = random.below(32);
        if (choice < 24 && block_count < blocks.size()) {
            u64 const size = 1 + random.below(random.below(8) == 0 ? 3000 : 200);
            u64 const alignment = u64{1} << random.below(random.below(8) == 0 ? 13 : 5);
            std::byte* const start = test->allocate({size}, {alignment}).value();
            ASSERT_TRUE(is_aligned(heap::address_of(start), alignment));
            blocks[block_count++] = {start, size, step};
            write_marks(start, size, step);
        } else if (choice < 28 && mark_count < marks.size()) {
            marks[mark_count++] = {test->checkpoint().value(), block_count};
        } else if (choice < 30 && mark_count > 0) {
            u64 const to = random.below(mark_count);
            for (u64 i = to; i < mark_count; ++i) {
                gone[gone_count++ % gone.size()] = marks[i].checkpoint;
            }
            ASSERT_TRUE(test->rewind(marks[to].checkpoint).has_value());
            block_count = marks[to].blocks;
            mark_count = to;
        } else if (choice == 30 && gone_count > 0) {
            u64 const which = random.below(std::min<u64>(gone_count, gone.size()));
            ASSERT_EQ(test->rewind(gone[which]).error(), Error::invalid_state);
        } else if (choice == 31 && (block_count == blocks.size() || random.below(64) == 0)) {
            for (u64 i = 0; i < mark_count; ++i) {
                gone[gone_count++ % gone.size()] = marks[i].checkpoint;
            }
            test->reset();
            block_count = mark_count = 0;
        }
        if (step % 64 == 0) {
            ASSERT_TRUE(test->verify().has_value());
            for (Block const& block : std::span(blocks).first(block_count)) {
                ASSERT_TRUE(has_marks(block.start, block.size, block.key));
                ASSERT_TRUE(test->holds(block.start));
            }
        }
    }
    EXPECT_GT(gone_count, 100u);
}

} // namespace
} // namespace twofold::memory::testing
