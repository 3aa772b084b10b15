// The heap on a small array of pages: the suite of every allocator, and what only the heap
// promises.
#include "tests/core/memory/allocator_suite.hpp"
#include "tests/core/memory/heap_support.hpp"

namespace twofold::memory::testing {

namespace {

constexpr usize arena_bytes = usize{6} << 20;
alignas(4096) std::byte arena_memory[arena_bytes];

} // namespace

std::span<std::byte> arena() {
    unpoison(arena_memory, sizeof(arena_memory));
    return arena_memory;
}

namespace {

using namespace literals;

/// Everything was freed: nothing is in use, and what can be given back is.
void expect_empty(HeapUnderTest& test) {
    for (usize cpu = 0; cpu < TestEnvironment::caches_max; ++cpu) {
        test.environment.run_on(cpu);
        test.heap.trim();
    }
    test.environment.run_on(0);
    EXPECT_TRUE(test.heap.verify().has_value());
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
    EXPECT_EQ(test.heap.statistics().cached, Bytes{0});
    EXPECT_EQ(test.heap.statistics().committed, test.backing.committed());
}

TEST(Heap, BadInput) {
    HeapUnderTest test;
    check_bad_input(test.heap);
    expect_empty(test);
}

TEST(Heap, Resize) {
    HeapUnderTest test;
    check_resize(test.heap);
    expect_empty(test);
}

TEST(Heap, ARangeThatIsTooSmall) {
    TestEnvironment environment;
    u64 least = 0;
    for (u64 pages = 1; pages < 400 && least == 0; ++pages) {
        ArenaBacking backing(arena().first(pages * page_size.value));
        Result<TestHeap*> const heap = TestHeap::create(backing, environment);
        if (!heap) {
            EXPECT_EQ(heap.error(), Error::invalid_argument);
            EXPECT_EQ(backing.committed(), Bytes{0});
        } else {
            least = pages;
            EXPECT_TRUE(heap.value()->allocate({100}, {16}).has_value());
        }
    }
    EXPECT_GT(least, 1u);
}

TEST(Heap, RandomOperationsAgreeWithAModelOfIntervals) {
    HeapUnderTest test;
    RandomTest random(test.heap, 4711);
    random.run(100'000, 20'000, [](Random&) {});
    random.free_all();
    expect_empty(test);
}

TEST(Heap, RandomOperationsOnSeveralProcessorsInLittleMemory) {
    HeapUnderTest test(3_MiB);
    RandomTest random(test.heap, 4712);
    random.run(20'000, 60'000, [&test](Random& choice) {
        test.environment.run_on(choice.below(TestEnvironment::caches_max));
    });
    EXPECT_GT(random.refused(), 0u); // memory did run out
    random.free_all();
    expect_empty(test);
}

TEST(Heap, MoreProcessorsThanCaches) {
    HeapUnderTest test;
    for (usize cpu = 0; cpu < TestEnvironment::caches_max; ++cpu) {
        test.environment.run_on(cpu);
        EXPECT_TRUE(test.heap.allocate({32}).has_value());
    }
    test.environment.run_on(TestEnvironment::caches_max);
    std::byte* const block = test.heap.allocate({100}).value();
    EXPECT_EQ(test.environment.slot(), nullptr);
    EXPECT_TRUE(test.heap.free(block).has_value());
    EXPECT_EQ(test.heap.free(block).error(), Error::invalid_state);
    // A cache that is given up serves the next.
    test.environment.run_on(3);
    test.heap.detach();
    EXPECT_EQ(test.environment.slot(), nullptr);
    test.environment.run_on(TestEnvironment::caches_max);
    EXPECT_TRUE(test.heap.allocate({100}).has_value());
    EXPECT_NE(test.environment.slot(), nullptr);
    EXPECT_TRUE(test.heap.verify().has_value());
}

TEST(Heap, ABlockFreedElsewhereIsHandedOutThere) {
    HeapUnderTest test;
    std::byte* const block = test.heap.allocate({64}).value();
    test.environment.run_on(1);
    EXPECT_TRUE(test.heap.free(block).has_value());
    test.environment.run_on(0);
    EXPECT_EQ(test.heap.free(block).error(), Error::invalid_state);
    EXPECT_NE(test.heap.allocate({64}).value(), block);
    test.environment.run_on(1);
    EXPECT_EQ(test.heap.allocate({64}).value(), block);
}

TEST(Heap, TheFastPathTakesNoLock) {
    HeapUnderTest test;
    EXPECT_TRUE(test.heap.free(test.heap.allocate({64}).value()).has_value());
    u64 const locks = test.environment.locks();
    for (int i = 0; i < 1000; ++i) { // from the first refill, in turn
        EXPECT_TRUE(test.heap.free(test.heap.allocate({60}).value()).has_value());
    }
    EXPECT_EQ(test.environment.locks(), locks);
    EXPECT_TRUE(test.heap.verify().has_value());
}

TEST(Heap, AnEmptyStackBorrowsFromALongerOne) {
    HeapUnderTest test;
    std::byte* blocks[40];
    for (std::byte*& block : blocks) {
        block = test.heap.allocate({1024}).value();
    }
    for (std::byte* const block : blocks) {
        EXPECT_TRUE(test.heap.free(block).has_value());
    }
    u64 const locks = test.environment.locks();
    std::byte* const shorter = test.heap.allocate({1000}).value();
    EXPECT_EQ(test.environment.locks(), locks);
    EXPECT_EQ(test.heap.usable_size(shorter).value(), Bytes{1024});
    EXPECT_TRUE(test.heap.free(shorter).has_value());
    expect_empty(test);
}

TEST(Heap, AMediumBlockRestsWithoutTheLock) {
    HeapUnderTest test;
    std::byte* const block = test.heap.allocate({3000}).value();
    std::byte* const other = test.heap.allocate({3500}).value();
    u64 const locks = test.environment.locks();
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(test.heap.free(block).has_value());
        EXPECT_TRUE(test.heap.free(other).has_value());
        EXPECT_EQ(test.heap.allocate({3000}).value(), block);
        EXPECT_EQ(test.heap.allocate({3500}).value(), other);
    }
    EXPECT_EQ(test.environment.locks(), locks);
    EXPECT_EQ(test.heap.statistics().requested_ever, Bytes{101UL * (3000 + 3500)});
    EXPECT_EQ(test.heap.statistics().reserved_ever, Bytes{101UL * (3008 + 3504)});
    EXPECT_TRUE(test.heap.verify().has_value());
    EXPECT_TRUE(test.heap.free(block).has_value());
    EXPECT_TRUE(test.heap.free(other).has_value());
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
    EXPECT_TRUE(test.heap.verify().has_value());
    expect_empty(test);
}

TEST(Heap, AMediumLengthThatIsMissedAgainComesSeveralAtATime) {
    HeapUnderTest test;
    std::byte* blocks[50];
    u64 const locks = test.environment.locks();
    for (std::byte*& block : blocks) {
        block = test.heap.allocate({1032}).value();
        std::memset(block, 0x5a, 1032);
        EXPECT_TRUE(test.heap.verify().has_value());
    }
    EXPECT_LT(test.environment.locks() - locks - std::size(blocks), std::size(blocks) / 2);
    for (std::byte* const block : blocks) {
        EXPECT_TRUE(test.heap.free(block).has_value());
        EXPECT_EQ(test.heap.free(block).error(), Error::invalid_state);
        EXPECT_TRUE(test.heap.verify().has_value());
    }
    expect_empty(test);
}

/// Of every length that has a form of its own in the map, at both places of a window.
TEST(Heap, NothingOfAMediumBlockThatRestsCanBeFreed) {
    HeapUnderTest test;
    for (u64 const size : {1040, 1056, 2000, 3008, 4096}) {
        for (u64 const before : {32, 48}) {
            std::byte* const first = test.heap.allocate({before}).value();
            std::byte* const block = test.heap.allocate({size}).value();
            std::byte* const behind = test.heap.allocate({64}).value();
            EXPECT_TRUE(test.heap.free(block).has_value());
            EXPECT_EQ(test.heap.free(block).error(), Error::invalid_state);
            EXPECT_EQ(test.heap.resize(block, {100}, {16}).error(), Error::invalid_state);
            for (u64 offset = 1; offset < size; ++offset) {
                ASSERT_EQ(
                    test.heap.free(heap::byte_at(block, offset)).error(), Error::invalid_argument);
            }
            EXPECT_TRUE(test.heap.verify().has_value());
            EXPECT_TRUE(test.heap.free(first).has_value());
            EXPECT_TRUE(test.heap.free(behind).has_value());
        }
    }
    expect_empty(test);
}

/// A page's longest hole is known after blocks on both sides of it came back in any order. Holes
/// change under the heap's lock alone, so the heap is walked whenever that was taken, and now and
/// then where it was not. In more pages than the index keeps in mind at once, and in fewer.
TEST(Heap, HolesOfManyBlocksAreIndexedAtOnce) {
    HeapUnderTest test;
    Random random(7);
    std::array<std::byte*, 600> blocks{};
    u64 locks = 0;
    u64 frees = 0;
    for (int round = 0; round < 95; ++round) {
        std::span const some = std::span(blocks).first(round % 19 == 0 ? 600 : 100);
        for (std::byte*& block : some) {
            block = test.heap.allocate({16 + random.below(1000)}).value();
        }
        for (usize i = some.size(); i > 1; --i) {
            std::swap(some[i - 1], some[random.below(i)]);
        }
        for (std::byte* const block : some) {
            EXPECT_TRUE(test.heap.free(block).has_value());
            if (test.environment.locks() != locks || ++frees % 16 == 0) {
                ASSERT_TRUE(test.heap.verify().has_value());
                locks = test.environment.locks();
            }
        }
    }
    expect_empty(test);
}

TEST(Heap, AHoleOfOneSizeServesAnother) {
    HeapUnderTest test;
    std::byte* blocks[64];
    for (std::byte*& block : blocks) {
        block = test.heap.allocate({2000}, {16}).value();
    }
    Bytes const before = test.heap.statistics().committed;
    for (usize i = 0; i < std::size(blocks); i += 2) {
        EXPECT_TRUE(test.heap.free(blocks[i]).has_value());
    }
    for (usize i = 0; i < std::size(blocks); i += 2) { // ten blocks where one was
        for (int part = 0; part < 10; ++part) {
            EXPECT_TRUE(test.heap.allocate({190}, {16}).has_value());
        }
    }
    EXPECT_LE(test.heap.statistics().committed, before + 16_KiB + 64_KiB);
    EXPECT_TRUE(test.heap.verify().has_value());
}

TEST(Heap, MemoryIsGivenBack) {
    HeapUnderTest test;
    std::byte* blocks[256];
    for (std::byte*& block : blocks) {
        block = test.heap.allocate({12'000}, {16}).value();
    }
    Bytes const full = test.backing.committed();
    EXPECT_GE(full, Bytes{u64{256} * 12'000});
    for (std::byte* const block : blocks) {
        EXPECT_TRUE(test.heap.free(block).has_value());
    }
    // Without being asked: the demand of late is forgotten as blocks come and go.
    for (int i = 0; i < 2000; ++i) {
        std::byte* const block = test.heap.allocate({12'000}, {16}).value();
        EXPECT_TRUE(test.heap.free(block).has_value());
    }
    EXPECT_LE(test.backing.committed(), Bytes{full.value / 2});
    expect_empty(test);
    EXPECT_EQ(test.heap.statistics().committed, test.backing.committed());
    EXPECT_LE(test.backing.committed(), Bytes{full.value / 8});
}

TEST(Heap, AnOverflowReachesNothingThatTheHeapSteersBy) {
    HeapUnderTest test;
    std::byte* blocks[100];
    for (usize i = 0; i < std::size(blocks); ++i) {
        blocks[i] = test.heap.allocate({16 + i * 13}, {16}).value();
    }
    for (usize i = 0; i < std::size(blocks); i += 3) {
        EXPECT_TRUE(test.heap.free(blocks[i]).has_value());
    }
    for (usize i = 1; i < std::size(blocks); i += 3) { // a slot before, the block, a slot behind
        u64 const usable = test.heap.usable_size(blocks[i]).value().value;
        for (u64 offset = 0; offset < usable + 32; ++offset) {
            std::byte* const at = heap::byte_at(blocks[i], offset - 16);
            if (test.backing.is_committed(at)) {
                *at = std::byte{0xff};
            }
        }
    }
    EXPECT_TRUE(test.heap.verify().has_value());
    for (usize i = 0; i < std::size(blocks); ++i) {
        if (i % 3 != 0) {
            EXPECT_TRUE(test.heap.free(blocks[i]).has_value());
        }
    }
    expect_empty(test);
}

TEST(Heap, EveryFreeOfTheSameBlockButOneIsRefused) {
    HeapUnderTest test;
    for (u64 const size : {1, 32, 33, 500, 1024, 1025, 5000, 70'000}) {
        std::byte* const block = test.heap.allocate({size}, {16}).value();
        std::byte* const fence = test.heap.allocate(1_MiB, 16_B).value(); // behind the block
        EXPECT_TRUE(test.heap.free(block).has_value());
        EXPECT_EQ(test.heap.free(block).error(), Error::invalid_state);
        test.heap.trim(); // back in the space, its page perhaps given back
        EXPECT_EQ(test.heap.free(block).error(), Error::invalid_state);
        EXPECT_TRUE(test.heap.free(fence).has_value());
        test.heap.trim(); // and now the heap ends before it
        EXPECT_EQ(test.heap.free(block).error(), Error::out_of_range);
    }
    expect_empty(test);
}

TEST(Heap, InteriorPointersOfLargeBlocks) {
    HeapUnderTest test;
    std::byte* const block = test.heap.allocate({60'000}, {16}).value();
    for (u64 offset = 1; offset < 60'000; offset += offset < 512 ? 1 : 16) {
        ASSERT_EQ(test.heap.free(heap::byte_at(block, offset)).error(), Error::invalid_argument);
    }
    EXPECT_TRUE(test.heap.free(block).has_value());
    expect_empty(test);
}

TEST(Heap, LargeBlocksGrowAndShrinkInPlace) {
    HeapUnderTest test;
    std::byte* const block = test.heap.allocate({8000}, {16}).value();
    EXPECT_EQ(test.heap.resize(block, {30'000}, {16}).value(), block);
    EXPECT_GE(test.heap.usable_size(block).value(), Bytes{30'000});
    EXPECT_EQ(test.heap.resize(block, {2000}, {16}).value(), block);
    EXPECT_LT(test.heap.usable_size(block).value(), Bytes{2032});
    std::byte* const next = test.heap.allocate({2000}, {16}).value();
    EXPECT_EQ(next, heap::byte_at(block, 2000)); // in what the block gave back
    EXPECT_NE(test.heap.resize(block, {2500}, {16}).value(), block);
    EXPECT_TRUE(test.heap.verify().has_value());
}

TEST(Heap, Statistics) {
    HeapUnderTest test;
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
    std::byte* const small = test.heap.allocate({17}, {16}).value();
    std::byte* const large = test.heap.allocate({5000}, {16}).value();
    AllocatorStatistics const found = test.heap.statistics();
    EXPECT_EQ(found.requested_ever, Bytes{5017});
    EXPECT_EQ(found.reserved_ever, Bytes{32 + 5008});
    EXPECT_EQ(found.reserved, Bytes{32 + 5008});
    EXPECT_EQ(found.committed, test.backing.committed());
    EXPECT_GT(found.cached, Bytes{0});
    EXPECT_TRUE(test.heap.free(small).has_value());
    EXPECT_TRUE(test.heap.free(large).has_value());
    EXPECT_EQ(test.heap.statistics().reserved, Bytes{0});
    EXPECT_EQ(test.heap.statistics().requested_ever, Bytes{5017});
}

/// A workload of every kind of operation; returns how many it could not do.
u64 workload(TestHeap& heap) {
    std::byte* blocks[48] = {};
    u64 refused = 0;
    for (usize i = 0; i < std::size(blocks); ++i) {
        u64 const size = i % 4 == 0 ? 3000 + i * 700 : 20 + i * 17;
        Result<std::byte*> const block = heap.allocate({size}, {i % 5 == 0 ? u64{4096} : u64{16}});
        if (block) {
            blocks[i] = block.value();
            write_marks(blocks[i], size, i);
        } else {
            EXPECT_EQ(block.error(), Error::out_of_memory);
            ++refused;
        }
    }
    for (usize i = 0; i < std::size(blocks); i += 2) {
        if (blocks[i] != nullptr) {
            Result<std::byte*> const moved = heap.resize(blocks[i], {9000 + i * 100}, {16});
            refused += moved ? 0 : 1;
            blocks[i] = moved ? moved.value() : blocks[i];
        }
    }
    for (usize i = 0; i < std::size(blocks); ++i) {
        if (blocks[i] != nullptr) {
            EXPECT_TRUE(has_marks(blocks[i], 20, i));
            EXPECT_TRUE(heap.free(blocks[i]).has_value());
        }
    }
    EXPECT_TRUE(heap.verify().has_value());
    return refused;
}

TEST(Heap, EveryCommitFailsOnceAndFromThenOn) {
    u64 commits = 0;
    {
        HeapUnderTest test;
        u64 const before = test.backing.commits();
        EXPECT_EQ(workload(test.heap), 0u);
        commits = test.backing.commits() - before;
    }
    EXPECT_GT(commits, 10u);
    for (u64 number = 1; number <= commits; ++number) {
        for (bool const for_ever : {false, true}) {
            HeapUnderTest test;
            for_ever ? test.backing.fail_from(number) : test.backing.fail_at(number);
            u64 const refused = workload(test.heap);
            ASSERT_GT(test.backing.failures(), 0u);
            // The last ones may be for magazines: without them it works, only slower.
            ASSERT_TRUE(refused > 0 || !for_ever || number + 3 >= commits);
            test.backing.fail_at(0);
            EXPECT_EQ(workload(test.heap), 0u); // it recovers as soon as there is memory
            expect_empty(test);
        }
    }
}

TEST(Heap, CreationFailsWithTheBacking) {
    TestEnvironment environment;
    ArenaBacking backing(arena());
    backing.fail_at(1);
    EXPECT_EQ(TestHeap::create(backing, environment).error(), Error::out_of_memory);
    EXPECT_EQ(backing.committed(), Bytes{0});
}

TEST(Heap, ALimitOfMemoryIsReachedAndLeftAgain) {
    HeapUnderTest test;
    test.backing.set_limit(test.backing.committed() + 512_KiB);
    for (int round = 0; round < 3; ++round) {
        std::byte* chain = nullptr;
        u64 count = 0;
        for (;;) {
            Result<std::byte*> const block = test.heap.allocate({100}, {16});
            if (!block) {
                EXPECT_EQ(block.error(), Error::out_of_memory);
                break;
            }
            std::memcpy(block.value(), static_cast<void const*>(&chain), sizeof(chain));
            chain = block.value();
            ++count;
        }
        EXPECT_GT(count, 2500u);
        while (chain != nullptr) {
            std::byte* const block = chain;
            std::memcpy(static_cast<void*>(&chain), block, sizeof(chain));
            EXPECT_TRUE(test.heap.free(block).has_value());
        }
        EXPECT_TRUE(test.heap.verify().has_value());
    }
    expect_empty(test);
}

TEST(Heap, EveryAllocationFailsOnceAndFromThenOn) {
    HeapUnderTest test;
    check_failures(test.heap);
    expect_empty(test);
}

TEST(Heap, ARefusedGiantLeavesNothing) {
    HeapUnderTest test;
    std::byte* const block = test.heap.allocate(100_B, 16_B).value();
    test.heap.trim();
    Bytes const before = test.backing.committed();
    test.backing.set_limit(before + 64_KiB);
    EXPECT_EQ(test.heap.allocate(2_MiB, 16_B).error(), Error::out_of_memory);
    test.heap.trim();
    EXPECT_EQ(test.backing.committed(), before);
    EXPECT_TRUE(test.heap.verify().has_value());
    EXPECT_TRUE(test.heap.free(block).has_value());
}

TEST(Heap, TrimGivesTheTablesBack) {
    HeapUnderTest test;
    test.heap.free(test.heap.allocate(100_B, 16_B).value()).value();
    test.heap.trim();
    Bytes const least = test.backing.committed();
    std::byte* const low = test.heap.allocate(100_B, 16_B).value();
    test.heap.trim();
    Bytes const with_low = test.backing.committed();
    std::byte* const large = test.heap.allocate(4_MiB, 16_B).value();
    EXPECT_TRUE(test.backing.committed() > least + 4_MiB);
    EXPECT_TRUE(test.heap.free(large).has_value());
    test.heap.trim();
    EXPECT_TRUE(test.heap.verify().has_value());
    EXPECT_EQ(test.backing.committed(), with_low);
    std::byte* const again = test.heap.allocate(3_MiB, 16_B).value();
    again[0] = std::byte{1};
    EXPECT_TRUE(test.heap.free(again).has_value());
    EXPECT_TRUE(test.heap.free(low).has_value());
    test.heap.trim();
    EXPECT_EQ(test.backing.committed(), least);
    EXPECT_TRUE(test.heap.verify().has_value());
}

} // namespace
} // namespace twofold::memory::testing
