// Frames on the host alone: ten million operations against the model, machines far larger and
// stranger than the host, and locks that are taken out of order.
#include "core/memory/memory.hpp"
#include "tests/core/memory/model_run.hpp"
#include "tests/support/processor.hpp"
#include "tests/support/sparse_memory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace twofold::memory {
namespace {

using hal::MemoryKind;
using hal::MemoryRange;
using test::Processor;
using test::SparseMemory;
using namespace literals;

TEST(FramesModel, MillionsOfOperationsAgree) {
    SparseMemory const memory(32_MiB);
    Processor const processor(0, 1, memory.bytes());
    EXPECT_EQ(run_model({16u << 20}, 0x5eed, TWOFOLD_MODEL_OPERATIONS), TWOFOLD_MODEL_OPERATIONS);
}

MemoryRange usable(Bytes base, Bytes end) {
    return {{base.value}, end - base, MemoryKind::usable};
}

TEST(FramesAtScale, TwoHundredFiftyFiveGibibytes) {
    SparseMemory const memory(256_GiB);
    Processor const processor(0, 1, memory.bytes());
    std::array const free{usable(4_KiB, 640_KiB), usable(1_MiB, 3_GiB), usable(4_GiB, 256_GiB)};
    BuddyFrames& frames = *BuddyFrames::create({.free = free}).value();
    FrameStatistics const made = frames.statistics();
    EXPECT_EQ(frames.frames_left_out(), 0u);
    // 1.254 bytes a frame: 80 MiB for 255 GiB.
    EXPECT_LT(made.metadata.value * 1000, made.frames * 1256 + 64 * 4096 * 1000);
    EXPECT_FALSE(frames.validate().found());
    std::vector<PhysAddr> blocks;
    while (auto const block = frames.allocate(max_order)) {
        blocks.push_back(block.value());
    }
    EXPECT_EQ(blocks.size(), 251u + 2u); // the tables cost one above 4 GiB and one below
    EXPECT_TRUE(blocks.front() >= PhysAddr{u64{4} << 30}); // the highest zone first
    for (PhysAddr const block : blocks) {
        ASSERT_TRUE(frames.free(block, max_order).has_value());
    }
    // More than the largest block, in one piece.
    Result<PhysAddr> const run = frames.allocate({.pages = (u64{100} << 30) / 4096});
    ASSERT_TRUE(run.has_value());
    ASSERT_TRUE(frames.free_pages(run.value(), (u64{100} << 30) / 4096).has_value());
    EXPECT_EQ(frames.statistics().free_frames, made.free_frames);
    EXPECT_EQ(frames.statistics().free_blocks[max_order], made.free_blocks[max_order]);
}

TEST(FramesZones, ReachAndOrderOfPreference) {
    SparseMemory const memory(5_GiB);
    Processor const processor(0, 1, memory.bytes());
    std::array const free{
        usable(4_KiB, 640_KiB), usable(1_MiB, 8_MiB), usable(4_GiB, 4_GiB + 8_MiB)};
    BuddyFrames& frames = *BuddyFrames::create({.free = free}).value();
    ASSERT_EQ(frames.zones().size(), 3u);
    EXPECT_EQ(frames.zones()[0]->reach(), ZoneReach::first_mebibyte);
    EXPECT_EQ(frames.zones()[1]->reach(), ZoneReach::below_4_gib);
    EXPECT_EQ(frames.zones()[2]->reach(), ZoneReach::any);
    // For devices there is memory below 4 GiB although nobody asked for it yet.
    PhysAddr const dma = frames.allocate({.pages = 16, .limit = {u64{4} << 30}}).value();
    EXPECT_LE(dma + 64_KiB, PhysAddr{u64{4} << 30});
    PhysAddr const trampoline = frames.allocate({.limit = {1u << 20}}).value();
    EXPECT_LT(trampoline, PhysAddr{1u << 20});
    // Others come from above, then below 4 GiB, then the first mebibyte.
    int highest = 2;
    while (auto const frame = frames.allocate(0)) {
        int const zone = frame.value() >= PhysAddr{u64{4} << 30}   ? 2
                         : frame.value() >= PhysAddr{u64{1} << 20} ? 1
                                                                   : 0;
        ASSERT_LE(zone, highest);
        highest = zone;
    }
    EXPECT_EQ(highest, 0);
    EXPECT_EQ(frames.statistics().free_frames, 0u);
}

TEST(FramesZones, ANodeComesFirstAndCanBeAskedFor) {
    SparseMemory const memory(64_MiB);
    Processor const processor(1, 2, memory.bytes());
    std::array const free{usable(1_MiB, 64_MiB)};
    std::array const nodes{
        NodeRange{{0}, 24_MiB, 0}, NodeRange{{24u << 20}, 16_MiB, 1},
        NodeRange{{40u << 20}, 24_MiB, 0}};
    std::array<u32, 2> const node_of_cpu{0, 1};
    BuddyFrames& frames =
        *BuddyFrames::create({.free = free, .nodes = nodes, .node_of_cpu = node_of_cpu, .cpus = 2})
             .value();
    ASSERT_EQ(frames.zones().size(), 3u);
    EXPECT_EQ(frames.node_of({1}), 1u);
    auto const on_node_1 = [](PhysAddr address) {
        return address >= PhysAddr{24u << 20} && address < PhysAddr{40u << 20};
    };
    EXPECT_TRUE(on_node_1(frames.allocate(0).value()));
    EXPECT_TRUE(on_node_1(frames.allocate(3).value()));
    PhysAddr const far = frames.allocate({.node = 0}).value();
    EXPECT_FALSE(on_node_1(far));
    ASSERT_TRUE(frames.free(far, 0).has_value());
    EXPECT_TRUE(on_node_1(frames.allocate(0).value())); // no magazine keeps the other node's
    while (frames.allocate({.pages = 64, .node = 1})) {
    }
    EXPECT_EQ(frames.allocate({.pages = 64, .node = 1}).error(), Error::out_of_memory);
    EXPECT_FALSE(on_node_1(frames.allocate(6).value())); // without a wish the others serve
    EXPECT_FALSE(frames.validate().found());
}

TEST(FramesZones, NodesThatMakeNoSense) {
    SparseMemory const memory(16_MiB);
    Processor const processor(0, 1, memory.bytes());
    std::array const free{usable(1_MiB, 16_MiB)};
    auto const create = [&](std::initializer_list<NodeRange> nodes) {
        auto const made =
            BuddyFrames::create({.free = free, .nodes = {nodes.begin(), nodes.size()}});
        return made ? "accepted" : error_name(made.error());
    };
    EXPECT_EQ(create({{{0}, 8_MiB, 0}, {{4u << 20}, 8_MiB, 1}}), "invalid_argument");
    EXPECT_EQ(create({{{0}, 8_MiB, nodes_max}}), "invalid_argument");
    EXPECT_EQ(create({{{0}, {~u64{0}}, 0}}), "invalid_argument");
    EXPECT_EQ(create({{{0}, 8_MiB, 0}, {{4u << 20}, 8_MiB, 0}}), "accepted");
    EXPECT_EQ(create({{{u64{1} << 40}, 8_MiB, 7}}), "accepted"); // memory of no node is node 0's
}

TEST(FramesZones, AFarPageCostsNoTableForTheHole) {
    SparseMemory const memory(200_GiB);
    Processor const processor(0, 1, memory.bytes());
    std::array const free{
        usable(1_MiB, 8_MiB), usable(100_GiB, 100_GiB + 64_KiB), usable(150_GiB, 150_GiB + 4_KiB)};
    BuddyFrames& frames = *BuddyFrames::create({.free = free}).value();
    EXPECT_EQ(frames.zones().size(), 2u);
    EXPECT_EQ(frames.frames_left_out(), 1u); // a page by itself has no room for its table
    EXPECT_LT(frames.statistics().metadata, 64_KiB);
    EXPECT_FALSE(frames.validate().found());
}

TEST(LockRankDeathTest, ALockOutOfOrderPanics) {
    SparseMemory const memory(1_MiB);
    Processor const processor(0, 1, memory.bytes());
    sync::SpinLock frames(sync::LockRank::frames);
    sync::SpinLock heap(sync::LockRank::heap);
    sync::SpinLock other(sync::LockRank::frames);
    auto const take = [](sync::SpinLock& first, sync::SpinLock& second) {
        sync::SpinLockGuard const outer(first, sync::save_interrupts);
        sync::SpinLockGuard const inner(second, sync::interrupts_are_off);
    };
    take(heap, frames);
    if (checks_enabled) {
        EXPECT_DEATH(take(frames, heap), "held");
        EXPECT_DEATH(take(frames, other), "held");
        EXPECT_DEATH(take(frames, frames), "held"); // not a deadlock, but its name
        EXPECT_DEATH(
            { sync::SpinLockGuard const guard(heap, sync::interrupts_are_off); }, "disabled");
    }
}

} // namespace
} // namespace twofold::memory
