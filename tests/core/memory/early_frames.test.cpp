// Frames taken during start-up: order, alignment, exhaustion, and random requests against a model
// that knows every page.
#include "core/memory/memory.hpp"
#include "tests/support/test.hpp"

namespace twofold::memory {
namespace {

using hal::MemoryKind;
using hal::MemoryRange;
using namespace literals;

constexpr u64 page = page_size.value;

EarlyFrames frames_of(std::initializer_list<MemoryRange> reported) {
    return EarlyFrames(MemoryMap::create({reported.begin(), reported.size()}).value());
}

TEST(EarlyFrames, LowestAboveOneMebibyteFirst) {
    EarlyFrames frames = frames_of(
        {{{0}, 640_KiB, MemoryKind::usable},
         {{4u << 20}, {2 * page}, MemoryKind::usable},
         {{2u << 20}, {page}, MemoryKind::usable},
         {{3u << 20}, 64_KiB, MemoryKind::reserved}});
    EXPECT_EQ(frames.allocate(page_size, page_size).value(), PhysAddr{2u << 20});
    EXPECT_EQ(frames.allocate(page_size, page_size).value(), PhysAddr{4u << 20});
    EXPECT_EQ(frames.allocate(page_size, page_size).value(), PhysAddr{(4u << 20) + page});
    // Then below, but never frame 0.
    EXPECT_EQ(frames.allocate(page_size, page_size).value(), PhysAddr{page});
    EXPECT_EQ(frames.allocate(page_size, page_size).value(), PhysAddr{2 * page});
}

TEST(EarlyFrames, ARangeAcrossOneMebibyteIsUsedFromThere) {
    EarlyFrames frames = frames_of({{{0}, 2_MiB, MemoryKind::usable}});
    EXPECT_EQ(frames.allocate(1_MiB, page_size).value(), EarlyFrames::low_memory_end);
    EXPECT_EQ(
        frames.allocate(1_MiB, page_size).error(), Error::out_of_memory); // frame 0 is missing
    EXPECT_EQ(frames.allocate(1_MiB - page_size, page_size).value(), PhysAddr{page});
    EXPECT_EQ(frames.allocate(page_size, page_size).error(), Error::out_of_memory);
    EXPECT_EQ(frames.available(), Bytes{0});
    EXPECT_EQ(frames.allocated(), 2_MiB - page_size);
}

TEST(EarlyFrames, Alignment) {
    EarlyFrames frames = frames_of({{{(2u << 20) + page}, 8_MiB, MemoryKind::usable}});
    EXPECT_EQ(frames.allocate(page_size, 2_MiB).value(), PhysAddr{4u << 20});
    EXPECT_EQ(frames.allocate(2_MiB, 2_MiB).value(), PhysAddr{6u << 20});
    EXPECT_EQ(frames.allocate(4_MiB, 2_MiB).error(), Error::out_of_memory);
}

TEST(EarlyFrames, RequestsThatMakeNoSense) {
    EarlyFrames frames = frames_of({{{1u << 20}, 1_MiB, MemoryKind::usable}});
    struct Case {
        u64 size, alignment;
    };
    for (Case const wrong :
         {Case{0, page},
          {1, page},
          {page + 1, page},
          {page, 0},
          {page, 1},
          {page, 2048},
          {page, 3 * page},
          {page, page + 1}}) {
        EXPECT_EQ(
            frames.allocate({wrong.size}, {wrong.alignment}).error(), Error::invalid_argument);
    }
    EXPECT_EQ(frames.available(), 1_MiB);
    EXPECT_EQ(frames.allocated(), Bytes{0});
}

TEST(EarlyFrames, RequestsThatAreTooLarge) {
    EarlyFrames frames = frames_of({{{1u << 20}, 1_MiB, MemoryKind::usable}});
    for (u64 const size : {u64{2} << 20, u64{1} << 52, align_down(UINT64_MAX, page)}) {
        EXPECT_EQ(frames.allocate({size}, page_size).error(), Error::out_of_memory);
    }
    EXPECT_EQ(frames.allocate(page_size, {u64{1} << 63}).error(), Error::out_of_memory);
    EXPECT_EQ(frames.allocate(1_MiB, page_size).value(), PhysAddr{1u << 20}); // nothing was lost
}

TEST(EarlyFrames, NoUsableMemory) {
    EarlyFrames frames = frames_of({{{1u << 20}, 1_MiB, MemoryKind::reserved}});
    EXPECT_EQ(frames.allocate(page_size, page_size).error(), Error::out_of_memory);
    EXPECT_EQ(frames.available(), Bytes{0});
}

/// The pages of the window [base, base + pages * page) that may be taken and have not been.
struct FreePages {
    static constexpr usize pages = 512;
    static constexpr u64 base = (1u << 20) - 128 * page; // a quarter lies below 1 MiB

    explicit FreePages(MemoryMap const& map) {
        for (MemoryRange const& range : map.ranges()) {
            for (u64 at = 0; range.kind == MemoryKind::usable && at < range.size.value;
                 at += page) {
                free[(range.base.value + at - base) / page] = true;
            }
        }
    }
    /// Takes the pages; false if one is not free.
    bool take(PhysAddr address, Bytes size) {
        for (u64 at = 0; at < size.value; at += page) {
            u64 const index = (address.value + at - base) / page;
            if (address.value < base || index >= pages || !free[index]) {
                return false;
            }
            free[index] = false;
        }
        return true;
    }
    bool any_above(PhysAddr limit) const {
        for (usize i = 0; i < pages; ++i) {
            if (free[i] && base + i * page >= limit.value) {
                return true;
            }
        }
        return false;
    }

    bool free[pages] = {};
};

TEST(EarlyFrames, RandomRequestsAgreeWithAModelOfPages) {
    Random random(4711);
    for (int round = 0; round < 300; ++round) {
        FixedVector<MemoryRange, 12> reported;
        for (u64 count = 1 + random.below(12); count > 0; --count) {
            u64 const first = random.below(FreePages::pages);
            u64 const length = 1 + random.below(FreePages::pages - first);
            MemoryKind const kind =
                random.below(3) == 0 ? MemoryKind::reserved : MemoryKind::usable;
            ASSERT_TRUE(
                reported
                    .push_back(
                        {{FreePages::base + first * page}, {random.below(length) * page}, kind})
                    .has_value());
        }
        MemoryMap const map = MemoryMap::create(reported.items()).value();
        FreePages model(map);
        EarlyFrames frames(map);
        Bytes const total = frames.available();
        EXPECT_EQ(frames.allocated(), Bytes{0});
        for (int request = 0; request < 40; ++request) {
            Bytes const size{(1 + random.below(16)) * page};
            Bytes const alignment{page << random.below(5)};
            Result<PhysAddr> const address = frames.allocate(size, alignment);
            // Taken or skipped or still there: nothing is lost, nothing counted twice.
            ASSERT_EQ(frames.available() + frames.allocated(), total);
            if (!address) {
                ASSERT_EQ(address.error(), Error::out_of_memory);
                continue;
            }
            ASSERT_TRUE(is_aligned(address.value(), alignment));
            ASSERT_TRUE(model.take(address.value(), size));
        }
        // Page by page, everything that is left comes out, and high memory before low.
        for (u64 left = frames.available().value / page; left > 0; --left) {
            Result<PhysAddr> const address = frames.allocate(page_size, page_size);
            ASSERT_TRUE(address.has_value());
            ASSERT_TRUE(model.take(address.value(), page_size));
        }
        ASSERT_EQ(frames.allocate(page_size, page_size).error(), Error::out_of_memory);
        ASSERT_EQ(frames.allocated(), total);
    }
}

TEST(EarlyFrames, PagesComeInOrder) {
    Random random(99);
    for (int round = 0; round < 50; ++round) {
        FixedVector<MemoryRange, 8> reported;
        while (!reported.full()) {
            u64 const first = random.below(FreePages::pages);
            u64 const length = random.below(FreePages::pages - first);
            ASSERT_TRUE(reported
                            .push_back(
                                {{FreePages::base + first * page},
                                 {length * page},
                                 random.below(2) == 0 ? MemoryKind::boot : MemoryKind::usable})
                            .has_value());
        }
        MemoryMap const map = MemoryMap::create(reported.items()).value();
        FreePages model(map);
        EarlyFrames frames(map);
        PhysAddr previous{0};
        bool was_low = false;
        for (usize i = 0; i < FreePages::pages; ++i) {
            Result<PhysAddr> const address = frames.allocate(page_size, page_size);
            if (!address) {
                break;
            }
            bool const low = address.value() < EarlyFrames::low_memory_end;
            ASSERT_TRUE(i == 0 || low != was_low || address.value() > previous);
            ASSERT_FALSE(low && model.any_above(EarlyFrames::low_memory_end));
            ASSERT_TRUE(model.take(address.value(), page_size));
            previous = address.value();
            was_low = low;
        }
        ASSERT_FALSE(model.any_above({0})); // not one page was forgotten
    }
}

} // namespace
} // namespace twofold::memory
