// The debugging layer around the heap and the baselines: the suite of every allocator, what is
// found and what it says, the book of blocks, and scopes without allocation.
#include "tests/core/memory/allocator_suite.hpp"
#include "tests/core/memory/debug_support.hpp"
#include "tests/core/memory/heap_support.hpp"

namespace twofold::memory::testing {
namespace {

using TestLayer = DebugLayer<TestHeap, true>;
static_assert(Allocator<TestLayer> && Allocator<DebugLayer<ListHeap>>);

/// A layer around the heap in the arena.
struct LayerUnderTest {
    HeapUnderTest below;
    DebugReports reports;
    TestLayer& layer = *TestLayer::create(below.heap, reports).value();

    /// One that was handed out for `site`.
    std::byte* block(u64 size, u64 site = 1) {
        reports.site = site;
        return layer.allocate({size}, {16}).value();
    }
};

/// As a device would: the compiler's checks do not see it.
__attribute__((noinline, no_sanitize("address"))) void poke(std::byte* at, std::byte value) {
    *at = value;
}
__attribute__((noinline, no_sanitize("address"))) std::byte peek(std::byte const* at) {
    return *at;
}
std::byte* behind(std::byte* block, u64 offset) {
    return heap::byte_at(block, offset);
}

template<class Layer, class Below>
void check_suite(Below& below) {
    DebugReports reports;
    Layer& layer = *Layer::create(below, reports).value();
    check_bad_input(layer);
    check_resize(layer);
    check_failures(layer);
    RandomTest<Layer, 128> random(layer, 31);
    random.run(4'000, 12'000, [](Random&) {});
    random.free_all();
    EXPECT_EQ(layer.statistics().reserved, Bytes{0});
    EXPECT_EQ(layer.live_blocks(), 0u);
    EXPECT_EQ(reports.count, 0u);
    layer.trim();
    EXPECT_EQ(layer.statistics().cached, below.statistics().cached);
    EXPECT_TRUE(Layer::destroy(layer).has_value());
    EXPECT_EQ(below.statistics().reserved, Bytes{0});
    EXPECT_TRUE(below.verify().has_value());
}

TEST(DebugAllocator, PassesTheSuiteAroundTheHeap) {
    HeapUnderTest test;
    check_suite<TestLayer>(test.heap);
}

TEST(DebugAllocator, PassesTheSuiteAroundTheListHeap) {
    ListHeap heap(arena());
    check_suite<DebugLayer<ListHeap>>(heap);
}

TEST(DebugAllocator, StandsAroundABumpHeap) {
    BumpHeap heap(arena());
    DebugReports reports;
    auto& layer = *DebugLayer<BumpHeap>::create(heap, reports).value();
    check_bad_input(layer);
    check_resize(layer);
    EXPECT_EQ(layer.live_blocks(), 0u);
    EXPECT_EQ(reports.count, 0u);
}

TEST(DebugAllocator, NamesEveryByteWrittenAroundABlock) {
    LayerUnderTest test;
    for (u64 const size : {1, 13, 16, 40, 1000, 5000}) {
        std::byte* const block = test.block(size, 700 + size);
        u64 const number = test.reports.allocations;
        for (u64 distance = 1; distance <= TestLayer::red_zone_bytes; ++distance) {
            struct {
                CorruptionKind kind;
                std::byte* at;
            } const writes[] = {
                {CorruptionKind::underflow, behind(block, 0 - distance)},
                {CorruptionKind::overflow, behind(block, size + distance - 1)}};
            for (auto const& write : writes) {
                std::byte const before = peek(write.at);
                poke(write.at, std::byte{0x2f});
                u64 const told = test.reports.count;
                EXPECT_EQ(test.layer.free(block).error(), Error::corrupted);
                EXPECT_EQ(test.layer.resize(block, {size + 1}, {16}).error(), Error::corrupted);
                EXPECT_EQ(test.layer.verify().error(), Error::corrupted);
                EXPECT_EQ(test.reports.count, told + 3);
                Corruption const& found = test.reports.last;
                EXPECT_EQ(found.kind, write.kind);
                EXPECT_EQ(found.damaged, write.at);
                EXPECT_EQ(found.block, block);
                EXPECT_EQ(found.size, Bytes{size});
                EXPECT_EQ(found.number, number);
                EXPECT_EQ(found.allocated.addresses[0], 700 + size);
                EXPECT_TRUE(found.freed.known().empty());
                poke(write.at, before);
                EXPECT_TRUE(test.layer.verify().has_value());
            }
        }
        EXPECT_TRUE(test.layer.free(block).has_value());
    }
}

TEST(DebugAllocator, NamesAWriteAfterFree) {
    LayerUnderTest test;
    for (u64 const offset : {0, 1, 50, 99}) {
        std::byte* const block = test.block(100, 21);
        test.reports.site = 22;
        EXPECT_TRUE(test.layer.free(block).has_value());
        poke(behind(block, offset), std::byte{0x2f});
        EXPECT_EQ(test.layer.verify().error(), Error::corrupted);
        EXPECT_EQ(test.reports.last.kind, CorruptionKind::use_after_free);
        EXPECT_EQ(test.reports.last.damaged, behind(block, offset));
        EXPECT_EQ(test.reports.last.allocated.addresses[0], 21u);
        EXPECT_EQ(test.reports.last.freed.addresses[0], 22u);
        u64 const told = test.reports.count;
        test.layer.trim(); // ends the quarantine, and looks once more
        EXPECT_EQ(test.reports.count, told + 1);
        EXPECT_TRUE(test.layer.verify().has_value());
    }
}

TEST(DebugAllocator, FreshAndFreedMemoryIsPoisoned) {
    LayerUnderTest test;
    std::byte* const block = test.block(200);
    for (u64 i = 0; i < 200; ++i) {
        ASSERT_EQ(block[i], debug::fresh_pattern);
        block[i] = std::byte{7};
    }
    EXPECT_TRUE(test.layer.free(block).has_value());
    for (u64 i = 0; i < 200; ++i) {
        ASSERT_EQ(peek(&block[i]), debug::freed_pattern);
    }
}

TEST(DebugAllocator, TheCompilersSanitizerSeesTheSameBounds) {
    LayerUnderTest test;
    std::byte* const block = test.block(45);
    EXPECT_FALSE(is_poisoned(block) || is_poisoned(behind(block, 44)));
    EXPECT_EQ(is_poisoned(behind(block, 45)), address_sanitizer_enabled);
    EXPECT_EQ(is_poisoned(behind(block, 45 + 31)), address_sanitizer_enabled);
    EXPECT_EQ(is_poisoned(behind(block, 0 - u64{1})), address_sanitizer_enabled);
    EXPECT_EQ(is_poisoned(behind(block, 0 - u64{32})), address_sanitizer_enabled);
    EXPECT_TRUE(test.layer.verify().has_value()); // looks at all of this
    EXPECT_EQ(is_poisoned(behind(block, 45)), address_sanitizer_enabled);
    std::byte* const shorter = test.layer.resize(block, {20}, {16}).value();
    EXPECT_EQ(shorter, block);
    EXPECT_FALSE(is_poisoned(behind(block, 19)));
    EXPECT_EQ(is_poisoned(behind(block, 20)), address_sanitizer_enabled);
    EXPECT_TRUE(test.layer.free(block).has_value());
    EXPECT_EQ(is_poisoned(block), address_sanitizer_enabled);
    test.layer.trim(); // free, and out of quarantine
    std::byte* const again = test.block(3000);
    EXPECT_FALSE(is_poisoned(again) || is_poisoned(behind(again, 2999)));
    EXPECT_TRUE(test.layer.free(again).has_value());
}

TEST(DebugAllocator, AFreedBlockRestsBeforeItIsHandedOutAgain) {
    LayerUnderTest test;
    std::byte* const block = test.block(64);
    EXPECT_TRUE(test.layer.free(block).has_value());
    u64 others = 0;
    for (; others < 2 * TestLayer::quarantine_blocks_max; ++others) {
        std::byte* const other = test.block(64);
        EXPECT_TRUE(test.layer.free(other).has_value());
        if (other == block) {
            break;
        }
        EXPECT_LE(
            test.layer.statistics().cached.value,
            TestLayer::quarantine_bytes_max + test.below.heap.statistics().cached.value);
    }
    EXPECT_GE(others, TestLayer::quarantine_blocks_max - 1);
    EXPECT_LT(others, 2 * TestLayer::quarantine_blocks_max);
    // A block larger than all of the quarantine goes back at once.
    std::byte* const large = test.block(2 * TestLayer::quarantine_bytes_max);
    EXPECT_TRUE(test.layer.free(large).has_value());
    EXPECT_EQ(test.layer.statistics().cached, test.below.heap.statistics().cached);
}

TEST(DebugAllocator, TheQuarantineGivesWayWhenMemoryEnds) {
    ListHeap below(arena().first(600 << 10));
    DebugReports reports;
    auto& layer = *DebugLayer<ListHeap>::create(below, reports).value();
    std::byte* const first = layer.allocate({200 << 10}).value();
    std::byte* const second = layer.allocate({200 << 10}).value();
    EXPECT_TRUE(layer.free(first).has_value());
    EXPECT_GT(layer.statistics().cached, Bytes{200 << 10});
    std::byte* const third = layer.allocate({200 << 10}).value(); // where the first was
    EXPECT_EQ(third, first);
    EXPECT_EQ(layer.statistics().cached, Bytes{0});
    EXPECT_EQ(layer.allocate({200 << 10}).error(), Error::out_of_memory);
    EXPECT_TRUE(layer.free(second).has_value() && layer.free(third).has_value());
    EXPECT_EQ(reports.count, 0u);
}

TEST(DebugAllocator, CountsBlocksInUseByCallSite) {
    LayerUnderTest test;
    std::byte* blocks[30];
    for (u64 i = 0; i < std::size(blocks); ++i) {
        blocks[i] = test.block(10 * (i + 1), 100 + i % 3);
    }
    EXPECT_TRUE(test.layer.free(blocks[1]).has_value()); // the oldest of site 101
    EXPECT_EQ(test.layer.live_blocks(), 29u);
    EXPECT_EQ(test.layer.live_bytes(), Bytes{10 * 465 - 20});
    u64 sites = 0;
    u64 bytes = 0;
    test.layer.for_each_site([&](debug::CallSite const& site) {
        u64 const which = site.stack.addresses[0] - 100;
        ASSERT_LT(which, 3u);
        EXPECT_EQ(site.blocks, which == 1 ? 9u : 10u);
        EXPECT_EQ(site.allocations, 10u);
        EXPECT_EQ(site.oldest, which == 1 ? 5u : which + 1);
        bytes += site.bytes;
        ++sites;
    });
    EXPECT_EQ(sites, 3u);
    EXPECT_EQ(Bytes{bytes}, test.layer.live_bytes());
    AllocatorStatistics const seen = test.layer.statistics();
    EXPECT_EQ(seen.requested_ever, Bytes{10 * 465});
    EXPECT_GE(seen.reserved_ever, seen.requested_ever + Bytes{30 * 64});
    EXPECT_LE(seen.reserved_ever, seen.requested_ever + Bytes{30 * 79});
    EXPECT_EQ(TestLayer::destroy(test.layer).error(), Error::busy);
    for (u64 i = 0; i < std::size(blocks); ++i) {
        EXPECT_TRUE(i == 1 || test.layer.free(blocks[i]).has_value());
    }
    test.layer.for_each_site([&](debug::CallSite const&) { ++sites; });
    EXPECT_EQ(sites, 3u); // none is left
}

TEST(DebugAllocator, MoreCallSitesThanFit) {
    LayerUnderTest test;
    for (u64 i = 1; i <= 2 * debug::CallSites::capacity; ++i) {
        test.block(8, i * 64);
    }
    u64 blocks = 0;
    u64 others = 0;
    test.layer.for_each_site([&](debug::CallSite const& site) {
        blocks += site.blocks;
        others += site.stack.known().empty() ? site.blocks : 0;
    });
    EXPECT_EQ(blocks, 2u * debug::CallSites::capacity);
    EXPECT_GE(others, debug::CallSites::capacity);
    EXPECT_TRUE(test.layer.verify().has_value());
}

TEST(DebugAllocator, AnOverflowByASlotReachesNothingThatItSteersBy) {
    LayerUnderTest test;
    std::byte* blocks[200];
    for (u64 i = 0; i < std::size(blocks); ++i) {
        blocks[i] = test.block(1 + 7 * i, i);
    }
    for (u64 i = 0; i < std::size(blocks); ++i) {
        for (u64 offset = 0; offset < 16; ++offset) {
            poke(behind(blocks[i], 1 + 7 * i + offset), std::byte{0xff});
            poke(behind(blocks[i], 0 - offset - 1), std::byte{0xff});
        }
    }
    for (u64 i = 0; i < std::size(blocks); ++i) {
        EXPECT_EQ(test.layer.free(blocks[i]).error(), Error::corrupted);
        EXPECT_EQ(test.reports.last.allocated.addresses[0], i);
        EXPECT_EQ(test.layer.usable_size(blocks[i]).value(), Bytes{1 + 7 * i});
    }
    EXPECT_EQ(test.layer.live_blocks(), std::size(blocks));
    EXPECT_TRUE(test.below.heap.verify().has_value());
}

TEST(DebugAllocator, EveryAllocationBelowFailsOnceAndFromThenOn) {
    HeapUnderTest test;
    FailingAllocator<TestHeap> failing(test.heap);
    using Layer = DebugLayer<FailingAllocator<TestHeap>, true>;
    DebugReports reports;
    failing.fail_at(1, false);
    EXPECT_EQ(Layer::create(failing, reports).error(), Error::out_of_memory);
    Layer& layer = *Layer::create(failing, reports).value();
    for (bool const for_ever : {false, true}) {
        for (u64 number = 1; number <= 60; ++number) {
            failing.fail_at(number, for_ever);
            u64 const before = failing.refused();
            u64 const refused = use_containers(layer);
            EXPECT_TRUE(failing.refused() == before || !for_ever || refused > 0);
            failing.fail_at(0, false);
            EXPECT_EQ(layer.live_blocks(), 0u);
            ASSERT_TRUE(layer.verify().has_value());
            layer.trim(); // so that the table grows anew
        }
    }
    EXPECT_GT(failing.refused(), 60u);
    EXPECT_EQ(reports.count, 0u);
    EXPECT_TRUE(Layer::destroy(layer).has_value());
    EXPECT_EQ(failing.out(), 0);
}

TEST(NoAlloc, NestsAndAllowsGivingBack) {
    LayerUnderTest test;
    std::byte* const block = test.block(10);
    sync::NoAllocScope const* const before = sync::cpu_state()->no_alloc;
    {
        NoAlloc const outer;
        sync::NoAllocScope const* const first = sync::cpu_state()->no_alloc;
        EXPECT_EQ(first != before, heap_checks_enabled);
        {
            NoAlloc const inner;
            EXPECT_EQ(sync::cpu_state()->no_alloc != first, heap_checks_enabled);
        }
        EXPECT_EQ(sync::cpu_state()->no_alloc, first);
        EXPECT_TRUE(test.layer.free(block).has_value());
    }
    EXPECT_EQ(sync::cpu_state()->no_alloc, before);
    note_allocation("nothing", {1}); // allowed again
}
static_assert(heap_checks_enabled || std::is_empty_v<NoAlloc>, "nothing of it is left");

} // namespace
} // namespace twofold::memory::testing
