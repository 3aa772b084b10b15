// Partition tables: what is well is found, and each number that is not is refused, though its
// checksum is right.
#include "tests/core/device/block/gpt_image.hpp"
#include "tests/core/device/block/model_disk.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_block;

namespace {

constexpr u64 image_sectors = 256;
constexpr u64 image_pages = image_sectors * GptImage::sector_bytes / page_size.value;

struct Image : Pages {
    Image() : Pages(image_pages), image(bytes()) {}

    Result<gpt::Header> header(u64 at = 1) const {
        return gpt::parse_header(image.sector(at), at, image_sectors);
    }
    using Found = memory::Box<gpt::Found, memory::KernelHeap>;
    Found found() const {
        auto all = Found::create(*boot::current_kernel().heap).value();
        auto const parsed = header();
        EXPECT_TRUE(parsed && gpt::parse_entries(parsed.value(), image.table(2), *all));
        return all;
    }

    GptImage image;
};

using Change = void (*)(std::span<std::byte> header);

} // namespace

TEST(Gpt, PartitionsAreFound) {
    Image made;
    made.image.add({40, 99, "root"});
    made.image.add({100, 200, "data"});
    made.image.seal();
    EXPECT_TRUE(gpt::is_protective(made.image.sector(0)));
    EXPECT_TRUE(made.header(image_sectors - 1).has_value());
    auto const found = made.found();
    ASSERT_EQ(found->partitions.size(), 2u);
    EXPECT_EQ(found->refused, 0u);
    EXPECT_EQ(found->partitions[0].number, 1u);
    EXPECT_EQ(found->partitions[0].first, 40u);
    EXPECT_EQ(found->partitions[1].last, 200u);
    EXPECT_EQ(found->partitions[1].name.view(), "data");
    EXPECT_EQ(
        gpt::text_of(found->partitions[0].type).view(), "13121110-1514-1716-1819-1A1B1C1D1E1F");
}

TEST(Gpt, EntriesThatMakeNoSenseAreLeftOut) {
    Image made;
    made.image.add({40, 99, "well"});
    made.image.add({90, 120, "over it"});
    made.image.add({130, 129, "turned"});
    made.image.add({10, 33, "in the table"});
    made.image.add({200, 255, "beyond"});
    made.image.add({~u64{0}, ~u64{0}, "far"});
    made.image.add({100, 100, "well, too"});
    made.image.seal();
    auto const found = made.found();
    ASSERT_EQ(found->partitions.size(), 2u);
    EXPECT_EQ(found->refused, 5u);
    EXPECT_EQ(found->partitions[1].number, 7u);
}

TEST(Gpt, WhatIsNoTableIsNone) {
    Image made;
    EXPECT_EQ(made.header().error(), Error::not_found);
    made.image.sector(0)[510] = std::byte{0};
    EXPECT_FALSE(gpt::is_protective(made.image.sector(0)));
    made.image.sector(0)[510] = std::byte{0x55};
    made.image.sector(0)[446 + 4] = std::byte{0x83};
    EXPECT_FALSE(gpt::is_protective(made.image.sector(0)));
    EXPECT_FALSE(gpt::is_protective(made.image.sector(0).first(511)));
}

TEST(Gpt, EachBitOfAHeaderCounts) {
    Image made;
    made.image.seal();
    for (u32 bit = 0; bit < 92 * 8; ++bit) {
        auto const byte = made.image.sector(1).subspan(bit / 8, 1);
        byte[0] ^= static_cast<std::byte>(1u << bit % 8);
        EXPECT_FALSE(made.header().has_value());
        byte[0] ^= static_cast<std::byte>(1u << bit % 8);
    }
    EXPECT_TRUE(made.header().has_value());
}

TEST(Gpt, EachBitOfATableCounts) {
    Image made;
    made.image.add({40, 99, "root"});
    made.image.seal();
    auto const header = made.header().value();
    auto found = Image::Found::create(*boot::current_kernel().heap).value();
    for (u32 bit = 0; bit < GptImage::entries * GptImage::entry_bytes * 8; bit += 997) {
        auto const byte = made.image.table(2).subspan(bit / 8, 1);
        byte[0] ^= static_cast<std::byte>(1u << bit % 8);
        auto const parsed = gpt::parse_entries(header, made.image.table(2), *found);
        EXPECT_FALSE(parsed.has_value());
        byte[0] ^= static_cast<std::byte>(1u << bit % 8);
    }
    EXPECT_EQ(found->partitions.size(), 0u);
}

TEST(Gpt, NumbersOfAHeaderThatMakeNoSenseAreRefused) {
    constexpr Change changes[] = {
        [](std::span<std::byte> header) { GptImage::put(header, 24, u64{3}); },
        [](std::span<std::byte> header) { GptImage::put(header, 40, u64{250}); },
        [](std::span<std::byte> header) { GptImage::put(header, 48, image_sectors); },
        [](std::span<std::byte> header) { GptImage::put(header, 48, ~u64{0}); },
        [](std::span<std::byte> header) { GptImage::put(header, 72, u64{0}); },
        [](std::span<std::byte> header) { GptImage::put(header, 72, u64{1}); },
        [](std::span<std::byte> header) { GptImage::put(header, 72, u64{40}); },
        [](std::span<std::byte> header) { GptImage::put(header, 72, ~u64{0}); },
        [](std::span<std::byte> header) { GptImage::put(header, 72, image_sectors - 1); },
        [](std::span<std::byte> header) { GptImage::put(header, 80, u32{0}); },
        [](std::span<std::byte> header) { GptImage::put(header, 80, ~u32{0}); },
        [](std::span<std::byte> header) { GptImage::put(header, 84, u32{0}); },
        [](std::span<std::byte> header) { GptImage::put(header, 84, u32{64}); },
        [](std::span<std::byte> header) { GptImage::put(header, 84, u32{136}); },
        [](std::span<std::byte> header) { GptImage::put(header, 84, u32{1} << 31); },
        [](std::span<std::byte> header) { GptImage::put(header, 8, u32{0x00020000}); },
    };
    Image made;
    for (Change const change : changes) {
        made.image.seal_one(1, image_sectors - 1, 2, change);
        EXPECT_FALSE(made.header().has_value());
    }
    made.image.seal_one(1, image_sectors - 1, 2);
    GptImage::put(made.image.sector(1), 12, ~u32{0}); // a length beyond the sector
    EXPECT_EQ(made.header().error(), Error::corrupted);
    GptImage::put(made.image.sector(1), 12, u32{16});
    EXPECT_EQ(made.header().error(), Error::corrupted);
}
