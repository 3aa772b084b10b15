// Requests cut into pieces: each piece is what the device takes, and together they are the request.
#include "tests/core/device/block/model_disk.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_block;

namespace {

constexpr Geometry limits{
    .sectors = 1 << 20,
    .sector_bytes = 512,
    .physical_sector_bytes = 512,
    .sectors_max = 8,
    .segments_max = 3,
    .segment_boundary = 4096};

/// A request of segments, in a space of addresses that is only counted with.
struct Made {
    Segment segments[32];
    Request request;

    explicit Made(std::initializer_list<Segment> all) {
        usize count = 0;
        u64 bytes = 0;
        for (Segment const& each : all) {
            segments[count++] = each;
            bytes += each.bytes;
        }
        request.operation = Operation::write;
        request.count = static_cast<u32>(bytes / 512);
        request.segments = std::span<Segment const>(segments).first(count);
        request.done = [](Request&, Result<void>) {};
    }
};

/// Whether the pieces follow one another, byte by byte, and each passes `check`.
bool makes_up(Made const& made, Geometry const& geometry, u32 room) {
    Segment out[32];
    CutPlace place;
    usize segment = 0;
    u64 offset = 0;
    while (place.sectors < made.request.count) {
        u32 const before = place.sectors;
        auto const piece = cut(made.request, geometry, place, std::span(out).first(room));
        if (!piece) {
            return false;
        }
        Request part;
        part.operation = Operation::write;
        part.sector = before;
        part.count = piece.value().sectors;
        part.segments = std::span<Segment const>(out).first(piece.value().segments);
        part.done = made.request.done;
        if (!check(part, geometry) || place.sectors != before + part.count) {
            return false;
        }
        for (Segment const& each : part.segments) {
            for (u64 byte = 0; byte < each.bytes;) {
                Segment const& from = made.request.segments[segment];
                u64 const step = std::min<u64>(from.bytes - offset, each.bytes - byte);
                if (from.address.value + offset != each.address.value + byte) {
                    return false;
                }
                byte += step;
                offset += step;
                if (offset == from.bytes) {
                    ++segment;
                    offset = 0;
                }
            }
        }
    }
    return segment == made.request.segments.size() && offset == 0;
}

} // namespace

TEST(BlockSplit, WhatFitsIsLeftWhole) {
    Made const made({{PhysAddr{0x1000}, 4096}});
    EXPECT_TRUE(fits(made.request, limits));
    EXPECT_EQ(count_pieces(made.request, limits, 32).value(), 1u);
}

TEST(BlockSplit, ManySectorsMakePieces) {
    Made const made({{PhysAddr{0x1200}, 512 * 20}});
    EXPECT_FALSE(fits(made.request, limits));
    EXPECT_EQ(count_pieces(made.request, limits, 32).value(), 3u);
    EXPECT_TRUE(makes_up(made, limits, 32));
}

TEST(BlockSplit, ManySegmentsMakePieces) {
    Made const made(
        {{PhysAddr{0x1000}, 4096},
         {PhysAddr{0x5000}, 4096},
         {PhysAddr{0x9000}, 4096},
         {PhysAddr{0xd000}, 4096}});
    Geometry wide = limits;
    wide.sectors_max = 64;
    EXPECT_FALSE(fits(made.request, wide));
    EXPECT_EQ(count_pieces(made.request, wide, 32).value(), 2u);
    EXPECT_EQ(count_pieces(made.request, wide, 1).value(), 4u);
    EXPECT_TRUE(makes_up(made, wide, 32));
    EXPECT_TRUE(makes_up(made, wide, 1));
}

TEST(BlockSplit, SegmentsThatMayNotMeetAreKeptApart) {
    Made const made({{PhysAddr{0x1000}, 512}, {PhysAddr{0x3000}, 1024}, {PhysAddr{0x5200}, 512}});
    EXPECT_FALSE(fits(made.request, limits));
    EXPECT_EQ(count_pieces(made.request, limits, 32).value(), 3u);
    EXPECT_TRUE(makes_up(made, limits, 32));
}

TEST(BlockSplit, ASectorThatNothingTakesIsAnError) {
    // The seam lies in a sector, where no piece may end.
    Made const made({{PhysAddr{0x1000}, 256}, {PhysAddr{0x3000}, 768}});
    auto const pieces = count_pieces(made.request, limits, 32);
    ASSERT_FALSE(pieces.has_value());
    EXPECT_EQ(pieces.error(), Error::invalid_argument);
    Geometry anywhere = limits;
    anywhere.segment_boundary = 1;
    EXPECT_EQ(count_pieces(made.request, anywhere, 32).value(), 1u);
}

TEST(BlockSplit, ACutInTheMiddleOfASegmentGoesBackToASector) {
    Geometry narrow = limits;
    narrow.segment_boundary = 1;
    narrow.segments_max = 2;
    Made const made({{PhysAddr{0x1000}, 700}, {PhysAddr{0x3000}, 500}, {PhysAddr{0x6000}, 848}});
    EXPECT_EQ(made.request.count, 4u);
    EXPECT_TRUE(makes_up(made, narrow, 32));
}

TEST(BlockSplit, RandomRequestsAreMadeUp) {
    Random random(7);
    for (u32 round = 0; round < 400; ++round) {
        Geometry geometry = limits;
        geometry.sectors_max = 1 + static_cast<u32>(random.below(16));
        geometry.segments_max = 1 + static_cast<u32>(random.below(5));
        geometry.segment_boundary = random.below(2) == 0 ? 512 : 4096;
        Made made({});
        usize const count = 1 + random.below(12);
        u64 at = 0x10000;
        for (usize i = 0; i < count; ++i) {
            u32 const bytes = 512 * (1 + static_cast<u32>(random.below(12)));
            at += random.below(3) * 512;
            made.segments[i] = {PhysAddr{at}, bytes};
            made.request.count += bytes / 512;
            at += bytes;
        }
        made.request.segments = std::span<Segment const>(made.segments).first(count);
        EXPECT_TRUE(makes_up(made, geometry, 1 + static_cast<u32>(random.below(8))));
    }
}
