// Allocators of frames: every operation, every misuse, every map that makes no sense. One suite for
// all that model the concept.
#include "tests/core/memory/frame_arena.hpp"

#include "hal/memory.hpp"

namespace twofold::memory {
namespace {

using hal::MemoryKind;
using hal::MemoryRange;
using namespace literals;

#define FRAME_TEST(name)                                                                           \
    template<class F>                                                                              \
    void name();                                                                                   \
    TEST(BuddyFrames, name) {                                                                      \
        name<BuddyFrames>();                                                                       \
    }                                                                                              \
    TEST(BitmapFrames, name) {                                                                     \
        name<BitmapFrames>();                                                                      \
    }                                                                                              \
    template<class F>                                                                              \
    void name()

/// Whether the allocator is sound and as full as `frames` frames allow.
template<class F>
bool is_whole(F& frames, u64 free_frames) {
    frames.drain();
    FrameStatistics const now = frames.statistics();
    return !frames.validate().found() && now.free_frames == free_frames && now.cached_frames == 0;
}

/// The counts of free blocks, to compare before and after.
template<class F>
bool has_blocks_of(F& frames, FrameStatistics const& before) {
    frames.drain();
    return std::ranges::equal(frames.statistics().free_blocks, before.free_blocks);
}

FRAME_TEST(AccountsForEveryFrame) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const made = frames.statistics();
    EXPECT_EQ(made.frames + made.metadata / page_size, arena.pages());
    EXPECT_EQ(made.free_frames, made.frames);
    EXPECT_EQ(made.allocations + made.frees + made.failures, 0u);
    EXPECT_FALSE(frames.validate().found());
}

FRAME_TEST(EveryOrderIsAligned) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    for (unsigned order = 0; order + 1 < Arena::default_order; ++order) {
        Result<PhysAddr> const block = frames.allocate(order);
        ASSERT_TRUE(block.has_value());
        EXPECT_TRUE(is_aligned(block.value(), page_size * (u64{1} << order)));
        EXPECT_EQ(frames.free(block.value(), order).has_value(), true);
    }
    EXPECT_TRUE(is_whole(frames, before.frames));
    EXPECT_TRUE(has_blocks_of(frames, before));
}

FRAME_TEST(TheLargestBlockIsWholeAgain) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    // Every frame singly, then back in an order that leaves no neighbour free for long.
    u64 count = 0;
    PhysAddr last{0};
    while (auto const frame = frames.allocate(0)) {
        // A list through the frames themselves.
        std::memcpy(hal::Memory::linear(frame.value()), &last.value, sizeof(last.value));
        last = frame.value();
        ++count;
    }
    EXPECT_EQ(count, before.frames);
    EXPECT_EQ(frames.statistics().free_frames, 0u);
    EXPECT_FALSE(frames.statistics().largest_order().has_value());
    EXPECT_EQ(frames.statistics().failures, 1u);
    EXPECT_FALSE(frames.validate().found());
    while (last.value != 0) {
        PhysAddr const frame = last;
        std::memcpy(&last.value, hal::Memory::linear(frame), sizeof(last.value));
        ASSERT_TRUE(frames.free(frame, 0).has_value());
    }
    EXPECT_TRUE(is_whole(frames, before.frames));
    EXPECT_TRUE(has_blocks_of(frames, before));
    EXPECT_EQ(frames.statistics().largest_order().value_or(0), before.largest_order().value_or(99));
}

FRAME_TEST(AnyNumberOfPages) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    for (u64 pages : {1, 2, 3, 5, 7, 31, 33, 100, 511, 513, 1000}) {
        Result<PhysAddr> const run = frames.allocate({.pages = pages});
        ASSERT_TRUE(run.has_value());
        EXPECT_EQ(frames.statistics().free_frames, before.frames - pages);
        EXPECT_FALSE(frames.validate().found());
        if (pages > 1) {
            EXPECT_EQ(frames.free_pages(run.value(), pages - 1).error(), Error::invalid_argument);
            EXPECT_EQ(frames.free(run.value() + page_size, 0).error(), Error::invalid_argument);
        }
        EXPECT_EQ(frames.free_pages(run.value(), pages + 1).error(), Error::invalid_argument);
        ASSERT_TRUE(frames.free_pages(run.value(), pages).has_value());
    }
    EXPECT_TRUE(is_whole(frames, before.frames));
    EXPECT_TRUE(has_blocks_of(frames, before));
}

FRAME_TEST(OddRunsLieSideBySide) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    constexpr u64 pages = 33; // next to nothing of a block of 64
    constexpr u64 runs = 40;
    PhysAddr starts[runs];
    PhysAddr end{0};
    for (PhysAddr& start : starts) {
        start = frames.allocate({.pages = pages}).value();
        end = std::max(end, start + page_size * pages);
    }
    // What the tables leave of the arena's first block may not take a run, and no more is lost.
    EXPECT_LE(end - starts[0], page_size * (pages * runs + 2 * pages));
    // Where a run was given back in the middle, the next one goes.
    frames.free_pages(starts[20], pages).value();
    EXPECT_EQ(frames.allocate({.pages = pages}).value(), starts[20]);
    for (PhysAddr const start : starts) {
        frames.free_pages(start, pages).value();
    }
    EXPECT_TRUE(is_whole(frames, before.frames));
    EXPECT_TRUE(has_blocks_of(frames, before));
}

FRAME_TEST(MoreThanAnySingleBlockHolds) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    // Three quarters: no block is that large, but the free ones lie side by side.
    u64 const pages = arena.pages() / 4 * 3;
    Result<PhysAddr> const run = frames.allocate({.pages = pages});
    ASSERT_TRUE(run.has_value());
    EXPECT_FALSE(frames.validate().found());
    EXPECT_EQ(frames.allocate({.pages = pages}).error(), Error::out_of_memory);
    ASSERT_TRUE(frames.free_pages(run.value(), pages).has_value());
    Result<PhysAddr> const all = frames.allocate({.pages = before.frames});
    ASSERT_TRUE(all.has_value());
    EXPECT_EQ(frames.statistics().free_frames, 0u);
    ASSERT_TRUE(frames.free_pages(all.value(), before.frames).has_value());
    EXPECT_TRUE(has_blocks_of(frames, before));
}

FRAME_TEST(AlignmentBeyondTheSize) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    for (Bytes alignment : {4_KiB, 8_KiB, 64_KiB, 2_MiB, 4_MiB}) {
        Result<PhysAddr> const run = frames.allocate({.pages = 3, .alignment = alignment});
        ASSERT_TRUE(run.has_value());
        EXPECT_TRUE(is_aligned(run.value(), alignment));
        EXPECT_EQ(frames.statistics().free_frames, before.frames - 3);
        ASSERT_TRUE(frames.free_pages(run.value(), 3).has_value());
    }
    EXPECT_TRUE(has_blocks_of(frames, before));
}

FRAME_TEST(BelowALimit) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    u64 const low = before.metadata / page_size;
    // All that ends below the limit, and nothing else.
    FixedVector<PhysAddr, 64> taken;
    while (auto const frame = frames.allocate({.limit = arena.page(low + 16)})) {
        EXPECT_LT(frame.value(), arena.page(low + 16));
        ASSERT_TRUE(taken.push_back(frame.value()).has_value());
    }
    EXPECT_EQ(taken.size(), 16u);
    EXPECT_TRUE(frames.allocate(0).has_value());
    EXPECT_EQ(
        frames.allocate({.pages = 4, .limit = arena.page(low + 18)}).error(), Error::out_of_memory);
    EXPECT_EQ(frames.allocate({.limit = {0}}).error(), Error::out_of_memory);
    EXPECT_EQ(frames.allocate({.limit = {4095}}).error(), Error::out_of_memory);
    for (PhysAddr const frame : taken) {
        ASSERT_TRUE(frames.free(frame, 0).has_value());
    }
    EXPECT_FALSE(frames.validate().found());
}

FRAME_TEST(AtAPlace) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    auto const at = [&](u64 index, u64 pages) {
        return frames.allocate({.pages = pages, .at = arena.page(index)});
    };
    EXPECT_EQ(at(1001, 7).value(), arena.page(1001));
    EXPECT_EQ(at(1001, 7).error(), Error::busy);
    EXPECT_EQ(at(1000, 2).error(), Error::busy);
    EXPECT_EQ(at(1007, 1).error(), Error::busy);
    EXPECT_EQ(at(1008, 1).value(), arena.page(1008));
    EXPECT_EQ(at(1000, 1).value(), arena.page(1000));
    EXPECT_EQ(at(0, 1).error(), Error::out_of_range); // the allocator's own tables
    EXPECT_EQ(at(arena.pages() - 1, 2).error(), Error::out_of_range);
    EXPECT_EQ(at(arena.pages(), 1).error(), Error::out_of_range);
    EXPECT_FALSE(frames.validate().found());
    EXPECT_TRUE(frames.free_pages(arena.page(1001), 7).has_value());
    EXPECT_TRUE(frames.free(arena.page(1000), 0).has_value());
    EXPECT_TRUE(frames.free(arena.page(1008), 0).has_value());
    EXPECT_TRUE(is_whole(frames, before.frames));
    EXPECT_TRUE(has_blocks_of(frames, before));
}

FRAME_TEST(Zeroed) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    constexpr u64 pages = 5;
    Result<PhysAddr> const dirty = frames.allocate({.pages = pages});
    ASSERT_TRUE(dirty.has_value());
    std::span<std::byte> const content(hal::Memory::linear(dirty.value()), pages * 4096);
    std::ranges::fill(content, std::byte{0xa5});
    ASSERT_TRUE(frames.free_pages(dirty.value(), pages).has_value());
    Result<PhysAddr> const clean =
        frames.allocate({.pages = pages, .at = dirty.value(), .content = FrameContent::zeroed});
    ASSERT_TRUE(clean.has_value());
    EXPECT_TRUE(std::ranges::all_of(content, [](std::byte one) { return one == std::byte{0}; }));
}

FRAME_TEST(RequestsThatMakeNoSense) {
    Arena const arena;
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    for (unsigned order : {max_order + 1, 63u, 64u, ~0u}) {
        EXPECT_EQ(frames.allocate(order).error(), Error::invalid_argument);
    }
    for (u64 pages : {u64{0}, u64{1} << 41, u64{1} << 52, ~u64{0}}) {
        EXPECT_EQ(frames.allocate({.pages = pages}).error(), Error::invalid_argument);
    }
    for (u64 pages : {u64{1} << 18, (u64{1} << 18) + 1, u64{1} << 30, u64{1} << 40}) {
        EXPECT_EQ(frames.allocate({.pages = pages}).error(), Error::out_of_memory);
    }
    for (u64 alignment : {u64{0}, u64{1}, u64{2048}, u64{4097}, u64{12288}, u64{1} << 63}) {
        EXPECT_EQ(frames.allocate({.alignment = {alignment}}).error(), Error::invalid_argument);
    }
    EXPECT_EQ(frames.allocate({.alignment = {u64{1} << 52}}).error(), Error::out_of_memory);
    EXPECT_EQ(frames.allocate({.at = arena.page(20) + 1_B}).error(), Error::invalid_argument);
    EXPECT_EQ(
        frames.allocate({.alignment = 8_KiB, .at = arena.page(21)}).error(),
        Error::invalid_argument);
    EXPECT_EQ(
        frames.allocate({.at = arena.page(20), .limit = arena.page(20)}).error(),
        Error::invalid_argument);
    EXPECT_EQ(
        frames.allocate({.pages = 2, .at = PhysAddr{(u64{1} << 52) - 4096}}).error(),
        Error::invalid_argument);
    EXPECT_EQ(frames.allocate({.at = PhysAddr{~u64{0} - 4095}}).error(), Error::invalid_argument);
    EXPECT_EQ(frames.allocate({.at = PhysAddr{0}}).error(), Error::out_of_range);
    EXPECT_EQ(frames.allocate({.node = 1}).error(), Error::out_of_memory);
    EXPECT_TRUE(is_whole(frames, before.frames));
    EXPECT_EQ(frames.statistics().allocations, 0u);
}

FRAME_TEST(MisuseIsNamedAndChangesNothing) {
    Arena const arena;
    F& frames = make_frames<F>({arena.range(0, 1024), arena.range(1032, 2048)});
    using enum FrameMisuse;
    PhysAddr const pair = frames.allocate(1).value();
    PhysAddr const single = frames.allocate(0).value();
    FrameStatistics const before = frames.statistics();
    struct Case {
        PhysAddr address;
        unsigned order;
        FrameMisuse misuse;
    };
    for (Case const wrong : {
             Case{pair + 1_B, 1, misaligned},
             Case{pair + page_size, 1, misaligned},
             Case{pair, max_order + 1, bad_order},
             Case{pair, ~0u, bad_order},
             Case{PhysAddr{0}, 0, foreign},
             Case{arena.page(arena.pages()), 0, foreign},
             Case{align_down(PhysAddr{~u64{0}}, page_size), 0, foreign},
             Case{arena.page(1024), 0, reserved},
             Case{arena.page(1031), 0, reserved},
             Case{pair, 0, wrong_size},
             Case{
                 single, single.value / 4096 % 2 == 0 ? 1u : 0u,
                 single.value / 4096 % 2 == 0 ? wrong_size : none},
             Case{pair + page_size, 0, inside_block},
             Case{arena.page(1500), 0, double_free},
             Case{arena.page(1504), 3, double_free},
         }) {
        if (wrong.misuse == none) {
            continue;
        }
        Result<void> const outcome = frames.free(wrong.address, wrong.order);
        ASSERT_FALSE(outcome.has_value());
        EXPECT_EQ(outcome.error(), misuse_error(wrong.misuse));
        FrameStatistics const now = frames.statistics();
        EXPECT_EQ(now.misuses[static_cast<usize>(wrong.misuse)] > 0, true);
        EXPECT_EQ(now.free_frames, before.free_frames);
    }
    EXPECT_EQ(frames.free_pages(pair, 0).error(), Error::invalid_argument);
    EXPECT_EQ(frames.free_pages(pair, ~u64{0}).error(), Error::invalid_argument);
    EXPECT_EQ(frames.free_pages(pair, u64{1} << 40).error(), Error::invalid_argument);
    EXPECT_EQ(frames.free_pages(pair + 1_B, 2).error(), Error::invalid_argument);
    EXPECT_FALSE(frames.validate().found());
    ASSERT_TRUE(frames.free(single, 0).has_value());
    EXPECT_EQ(frames.free(single, 0).error(), Error::invalid_state); // in the magazine
    frames.drain();
    EXPECT_EQ(frames.free(single, 0).error(), Error::invalid_state); // in a block
    ASSERT_TRUE(frames.free(pair, 1).has_value());
    EXPECT_EQ(frames.free(pair, 1).error(), Error::invalid_state);
    EXPECT_TRUE(is_whole(frames, before.frames));
}

FRAME_TEST(HolesAreNeverHandedOut) {
    Arena const arena;
    F& frames = make_frames<F>(
        {arena.range(2000, 2001), arena.range(0, 777), arena.range(3000, 3000),
         arena.range(1024, 1500), arena.range(778, 779)});
    FrameStatistics const made = frames.statistics();
    EXPECT_EQ(made.frames + made.metadata / page_size, 777u + 476 + 1 + 1);
    u64 count = 0;
    while (auto const frame = frames.allocate(0)) {
        u64 const index = (frame.value() - arena.page(0)) / page_size;
        EXPECT_TRUE(
            index < 777 || index == 778 || (index >= 1024 && index < 1500) || index == 2000);
        ++count;
    }
    EXPECT_EQ(count, made.frames);
    EXPECT_FALSE(frames.validate().found());
}

FRAME_TEST(MapsThatMakeNoSense) {
    Arena const arena;
    auto const create = [](std::initializer_list<MemoryRange> free) {
        auto const made = F::create({.free = {free.begin(), free.size()}});
        return made ? Error::busy : made.error();
    };
    EXPECT_EQ(create({}), Error::out_of_memory);
    EXPECT_EQ(create({arena.range(5, 5)}), Error::out_of_memory);
    EXPECT_EQ(create({arena.range(5, 6)}), Error::out_of_memory);
    EXPECT_EQ(create({arena.range(0, 64), arena.range(63, 80)}), Error::invalid_argument);
    EXPECT_EQ(create({arena.range(0, 64), arena.range(0, 64)}), Error::invalid_argument);
    EXPECT_EQ(create({{arena.page(3) + 1_B, 64_KiB, MemoryKind::usable}}), Error::invalid_argument);
    EXPECT_EQ(create({{arena.page(3), 4097_B, MemoryKind::usable}}), Error::invalid_argument);
    EXPECT_EQ(create({{arena.page(3), {~u64{0}}, MemoryKind::usable}}), Error::invalid_argument);
    EXPECT_EQ(create({{{u64{1} << 52}, page_size, MemoryKind::usable}}), Error::invalid_argument);
    EXPECT_TRUE(!F::create({.free = std::array{arena.whole()}, .cpus = 0}).has_value());
}

/// From a firmware's report that contradicts itself to frames: what is handed out is usable by all
/// that was said of it.
FRAME_TEST(AReportWithOverlapsAndHoles) {
    Arena const arena;
    MemoryRange const reported[] = {
        arena.range(1000, 2000),                             // out of order
        arena.range(0, 900),                                 // a hole behind
        arena.range(100, 200, MemoryKind::reserved),         // inside usable memory
        arena.range(850, 950, MemoryKind::acpi_reclaimable), // across its end
        arena.range(150, 300, MemoryKind::bad),              // overlaps what is reserved already
        arena.range(1000, 2000),                             // said twice
        {arena.page(1500) + 1_B, 1_B, MemoryKind::acpi_nvs}, // part of a page
        {arena.page(4000), 0_B, MemoryKind::usable},         // nothing
    };
    MemoryMap const map = MemoryMap::create(reported).value();
    FixedVector<MemoryRange, MemoryMap::ranges_max> usable;
    for (MemoryRange const& range : map.ranges()) {
        if (range.kind == MemoryKind::usable) {
            EXPECT_TRUE(usable.push_back(range).has_value());
        }
    }
    F& frames = *F::create({.free = usable.items()}).value();
    u64 const metadata = frames.statistics().metadata / page_size;
    u64 count = 0;
    while (auto const frame = frames.allocate(0)) {
        u64 const index = (frame.value() - arena.page(0)) / page_size;
        EXPECT_TRUE(
            index < 100 || (index >= 300 && index < 850) ||
            (index >= 1000 && index < 2000 && index != 1500));
        ++count;
    }
    EXPECT_EQ(count + metadata, 100u + 550 + 999);
    EXPECT_FALSE(frames.validate().found());
}

TEST(BuddyFrames, TheFramesOfADividedBlockCountOneByOne) {
    Arena const arena;
    auto& frames = make_frames<BuddyFrames>({arena.whole()});
    FrameStatistics const before = frames.statistics();
    PhysAddr const block = frames.allocate(4).value();
    ASSERT_TRUE(frames.split(block, 4).has_value());
    EXPECT_EQ(frames.split(block, 4).error(), Error::invalid_argument); // there is no block
    EXPECT_EQ(frames.statistics().allocations, before.allocations + 16);
    for (u64 index = 0; index < 16; ++index) {
        ASSERT_TRUE(frames.free(block + page_size * index, 0).has_value());
    }
    FrameStatistics const after = frames.statistics();
    EXPECT_EQ(after.allocations - before.allocations, after.frees - before.frees);
    EXPECT_TRUE(is_whole(frames, before.frames));
}

FRAME_TEST(EightMebibytes) {
    Arena const arena(11);
    F& frames = make_frames<F>({arena.whole()});
    FrameStatistics const made = frames.statistics();
    EXPECT_GE(made.frames * 100, arena.pages() * 99); // one frame in a hundred is the price
    u64 pages = 0;
    for (unsigned order = 11; order > 0; --order) {
        while (frames.allocate(order - 1)) {
            pages += u64{1} << (order - 1);
        }
    }
    EXPECT_EQ(pages, made.frames);
}

} // namespace
} // namespace twofold::memory
