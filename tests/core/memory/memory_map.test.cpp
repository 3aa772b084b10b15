// The normalised memory map: its edges by hand, and random reports against a model that knows one
// kind for each frame.
#include "core/memory/memory.hpp"
#include "tests/support/test.hpp"

namespace twofold::memory {
namespace {

using hal::MemoryKind;
using hal::MemoryRange;

constexpr u64 frame = page_size.value;

std::span<MemoryRange const> ranges_of(Result<MemoryMap> const& map) {
    return map.value().ranges();
}

bool equal(MemoryRange const& a, MemoryRange const& b) {
    return a.base == b.base && a.size == b.size && a.kind == b.kind;
}

/// Whether `reported` is normalised to exactly `expected`.
bool becomes(
    std::initializer_list<MemoryRange> reported, std::initializer_list<MemoryRange> expected) {
    Result<MemoryMap> const map = MemoryMap::create({reported.begin(), reported.size()});
    if (!map || ranges_of(map).size() != expected.size()) {
        return false;
    }
    usize index = 0;
    for (MemoryRange const& range : expected) {
        if (!equal(ranges_of(map)[index++], range)) {
            return false;
        }
    }
    return true;
}

TEST(MemoryMap, EmptyReports) {
    EXPECT_TRUE(becomes({}, {}));
    EXPECT_TRUE(becomes({{{4096}, {0}, MemoryKind::usable}}, {}));
    EXPECT_TRUE(becomes({{{123}, {0}, MemoryKind::bad}}, {}));
    EXPECT_TRUE(becomes({{{UINT64_MAX}, {0}, MemoryKind::reserved}}, {}));
}

TEST(MemoryMap, SortsAndMerges) {
    EXPECT_TRUE(becomes(
        {{{0x3000}, {0x1000}, MemoryKind::usable},
         {{0x1000}, {0x1000}, MemoryKind::usable},
         {{0x2000}, {0x1000}, MemoryKind::usable},
         {{0x8000}, {0x1000}, MemoryKind::usable}},
        {{{0x1000}, {0x3000}, MemoryKind::usable}, {{0x8000}, {0x1000}, MemoryKind::usable}}));
    EXPECT_TRUE(becomes(
        {{{0x2000}, {0x1000}, MemoryKind::reserved}, {{0x1000}, {0x1000}, MemoryKind::usable}},
        {{{0x1000}, {0x1000}, MemoryKind::usable}, {{0x2000}, {0x1000}, MemoryKind::reserved}}));
}

TEST(MemoryMap, PartialPages) {
    // Usable memory shrinks to whole pages; everything else grows to them.
    EXPECT_TRUE(becomes(
        {{{0x1001}, {0x2FFF}, MemoryKind::usable}}, {{{0x2000}, {0x2000}, MemoryKind::usable}}));
    EXPECT_TRUE(becomes({{{0x1001}, {0x1000}, MemoryKind::usable}}, {}));
    EXPECT_TRUE(becomes(
        {{{0x1FFF}, {2}, MemoryKind::reserved}}, {{{0x1000}, {0x2000}, MemoryKind::reserved}}));
    EXPECT_TRUE(becomes(
        {{{0}, {0x4000}, MemoryKind::usable}, {{0x1800}, {1}, MemoryKind::module}},
        {{{0}, {0x1000}, MemoryKind::usable},
         {{0x1000}, {0x1000}, MemoryKind::module},
         {{0x2000}, {0x2000}, MemoryKind::usable}}));
}

TEST(MemoryMap, TheStricterKindWinsOverlaps) {
    constexpr MemoryKind by_strictness[] = {
        MemoryKind::usable, MemoryKind::acpi_reclaimable, MemoryKind::acpi_nvs, MemoryKind::module,
        MemoryKind::boot,   MemoryKind::reserved,         MemoryKind::bad};
    static_assert(std::size(by_strictness) == hal::memory_kind_count);
    for (usize weak = 0; weak < hal::memory_kind_count; ++weak) {
        for (usize strict = weak + 1; strict < hal::memory_kind_count; ++strict) {
            MemoryRange const wide{{0x1000}, {0x3000}, by_strictness[weak]};
            MemoryRange const narrow{{0x2000}, {0x1000}, by_strictness[strict]};
            EXPECT_TRUE(becomes(
                {wide, narrow},
                {{{0x1000}, {0x1000}, wide.kind}, narrow, {{0x3000}, {0x1000}, wide.kind}}));
            EXPECT_TRUE(becomes(
                {narrow, wide},
                {{{0x1000}, {0x1000}, wide.kind}, narrow, {{0x3000}, {0x1000}, wide.kind}}));
            // Swallowed whole.
            EXPECT_TRUE(becomes(
                {{{0x2000}, {0x1000}, by_strictness[weak]},
                 {{0x1000}, {0x3000}, by_strictness[strict]}},
                {{{0x1000}, {0x3000}, by_strictness[strict]}}));
        }
    }
}

TEST(MemoryMap, EndOfTheAddressSpace) {
    constexpr u64 end = MemoryMap::address_end;
    EXPECT_TRUE(becomes({{{end}, {frame}, MemoryKind::usable}}, {}));
    EXPECT_TRUE(becomes({{{UINT64_MAX - frame}, {frame}, MemoryKind::reserved}}, {}));
    for (u64 const size : {2 * frame, end, UINT64_MAX - end, UINT64_MAX}) { // some wrap past 2^64
        EXPECT_TRUE(becomes(
            {{{end - frame}, {size}, MemoryKind::usable}},
            {{{end - frame}, {frame}, MemoryKind::usable}}));
        EXPECT_TRUE(becomes(
            {{{end - 1}, {size}, MemoryKind::bad}}, {{{end - frame}, {frame}, MemoryKind::bad}}));
    }
    EXPECT_TRUE(
        becomes({{{0}, {UINT64_MAX}, MemoryKind::usable}}, {{{0}, {end}, MemoryKind::usable}}));
    EXPECT_TRUE(becomes({{{1}, {UINT64_MAX}, MemoryKind::bad}}, {{{0}, {end}, MemoryKind::bad}}));
}

TEST(MemoryMap, MoreThanTheCapacity) {
    MemoryRange reported[MemoryMap::ranges_max + 1];
    for (usize i = 0; i < std::size(reported); ++i) {
        reported[i] = {{2 * i * frame}, {frame}, MemoryKind::usable};
    }
    std::span const all(reported);
    Result<MemoryMap> const full = MemoryMap::create(all.first(MemoryMap::ranges_max));
    ASSERT_TRUE(full.has_value());
    EXPECT_EQ(ranges_of(full).size(), MemoryMap::ranges_max);
    EXPECT_EQ(MemoryMap::create(all).error(), Error::no_space);
    // Few enough in the report, but cut into too many pieces: holes in one large range.
    for (usize i = 0; i < MemoryMap::ranges_max - 1; ++i) {
        reported[i] = {{(2 * i + 1) * frame}, {frame}, MemoryKind::reserved};
    }
    reported[MemoryMap::ranges_max - 1] = {
        {0}, {4 * MemoryMap::ranges_max * frame}, MemoryKind::usable};
    EXPECT_EQ(MemoryMap::create(all.first(MemoryMap::ranges_max)).error(), Error::no_space);
}

TEST(MemoryMap, EveryKindHasAName) {
    for (usize a = 0; a < hal::memory_kind_count; ++a) {
        EXPECT_FALSE(kind_name(static_cast<MemoryKind>(a)).empty());
        for (usize b = 0; b < a; ++b) {
            EXPECT_NE(kind_name(static_cast<MemoryKind>(a)), kind_name(static_cast<MemoryKind>(b)));
        }
    }
}

/// One kind, or none, for each frame of a small window of physical memory.
struct PageModel {
    static constexpr usize pages = 64;

    static int strictness(MemoryKind kind) {
        constexpr int of[hal::memory_kind_count] = {0, 5, 1, 2, 6, 4, 3}; // in the enum's order
        return of[static_cast<usize>(kind)];
    }

    void add(MemoryRange const& range) {
        for (usize i = 0; i < pages; ++i) {
            u64 const first = base + i * frame;
            u64 const start = range.base.value;
            u64 const end = start + range.size.value; // no case of the generator wraps
            bool const touched = start < first + frame && end > first && start < end;
            bool const covered = start <= first && end >= first + frame;
            bool const counts = range.kind == MemoryKind::usable ? covered : touched;
            if (counts && (!present[i] || strictness(range.kind) > strictness(kinds[i]))) {
                present[i] = true;
                kinds[i] = range.kind;
            }
        }
    }

    u64 base = 0;
    bool present[pages] = {};
    MemoryKind kinds[pages] = {};
};

/// Whether `map` says of every frame of the window what `model` says, and nothing of others.
bool agrees(MemoryMap const& map, PageModel const& model) {
    usize described = 0;
    for (MemoryRange const& range : map.ranges()) {
        for (u64 at = range.base.value; at < range.base.value + range.size.value; at += frame) {
            u64 const index = (at - model.base) / frame;
            if (at < model.base || index >= PageModel::pages || !model.present[index] ||
                model.kinds[index] != range.kind) {
                return false;
            }
            ++described;
        }
    }
    for (bool const present : model.present) {
        described -= present ? 1 : 0;
    }
    return described == 0;
}

/// Whether the ranges are what the header promises, whatever they say.
bool well_formed(MemoryMap const& map) {
    MemoryRange const* previous = nullptr;
    for (MemoryRange const& range : map.ranges()) {
        bool const whole = is_aligned(range.base, page_size) &&
                           is_aligned(range.size.value, frame) && range.size.value > 0 &&
                           range.base.value + range.size.value <= MemoryMap::address_end;
        if (!whole) {
            return false;
        }
        if (previous != nullptr) {
            u64 const previous_end = previous->base.value + previous->size.value;
            bool const ordered = previous_end < range.base.value ||
                                 (previous_end == range.base.value && previous->kind != range.kind);
            if (!ordered) {
                return false;
            }
        }
        previous = &range;
    }
    return true;
}

/// A range of random kind that starts in the window; half of them aligned.
MemoryRange random_range(Random& random, u64 base) {
    constexpr u64 window = PageModel::pages * frame;
    u64 start = random.below(window);
    u64 size = random.below(1 + random.below(window - start));
    if (random.below(2) == 0) {
        start = align_down(start, frame);
        size = align_down(size, frame);
    }
    return {{base + start}, {size}, static_cast<MemoryKind>(random.below(hal::memory_kind_count))};
}

TEST(MemoryMap, RandomReportsAgreeWithAModelOfPages) {
    constexpr int rounds = 2000;
    constexpr usize reported_max = 24;
    Random random(0x5EED);
    for (int round = 0; round < rounds; ++round) {
        // At the bottom, in the middle, or up against the end of the address space.
        constexpr u64 window = PageModel::pages * frame;
        u64 const bases[] = {0, u64{1} << 40, MemoryMap::address_end - window};
        PageModel model{.base = bases[random.below(3)]};
        FixedVector<MemoryRange, reported_max> reported;
        for (u64 count = random.below(reported_max + 1); count > 0; --count) {
            MemoryRange const range = random_range(random, model.base);
            model.add(range);
            ASSERT_TRUE(reported.push_back(range).has_value());
        }
        Result<MemoryMap> const map = MemoryMap::create(reported.items());
        ASSERT_TRUE(map.has_value());
        ASSERT_TRUE(well_formed(map.value()));
        ASSERT_TRUE(agrees(map.value(), model));
    }
}

TEST(MemoryMap, NormalisingTwiceChangesNothing) {
    Random random(77);
    for (int round = 0; round < 200; ++round) {
        FixedVector<MemoryRange, 16> reported;
        while (!reported.full()) {
            ASSERT_TRUE(reported.push_back(random_range(random, 0)).has_value());
        }
        Result<MemoryMap> const once = MemoryMap::create(reported.items());
        ASSERT_TRUE(once.has_value());
        Result<MemoryMap> const twice = MemoryMap::create(ranges_of(once));
        ASSERT_TRUE(twice.has_value());
        ASSERT_EQ(ranges_of(once).size(), ranges_of(twice).size());
        for (usize i = 0; i < ranges_of(once).size(); ++i) {
            ASSERT_TRUE(equal(ranges_of(once)[i], ranges_of(twice)[i]));
        }
    }
}

} // namespace
} // namespace twofold::memory
