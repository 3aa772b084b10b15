// ByteReader, CRC-32, random numbers, and the helpers on text and bits.
#include "tests/support/test.hpp"

namespace twofold {
namespace {

constexpr std::array<std::byte, 8> counting{std::byte{0x01}, std::byte{0x23}, std::byte{0x45},
                                            std::byte{0x67}, std::byte{0x89}, std::byte{0xAB},
                                            std::byte{0xCD}, std::byte{0xEF}};

TEST(ByteReader, LittleEndianOfEveryWidth) {
    ByteReader reader(counting);
    EXPECT_EQ(reader.read<u8>().value(), 0x01u);
    EXPECT_EQ(reader.read<u16>().value(), 0x4523u);
    EXPECT_EQ(reader.read<u32>().value(), 0xCDAB8967u);
    EXPECT_EQ(reader.position(), 7u);
    EXPECT_EQ(reader.remaining(), 1u);
    EXPECT_EQ(reader.peek_at<u64>(0).value(), 0xEFCDAB8967452301u);
    static_assert(ByteReader(counting).peek_at<u16>(1).value() == 0x4523);
}

TEST(ByteReader, NeverLeavesTheData) {
    ByteReader reader(counting);
    ASSERT_TRUE(reader.skip(5).has_value());
    EXPECT_EQ(reader.read<u32>().error(), Error::truncated);
    EXPECT_EQ(reader.read_bytes(4).error(), Error::truncated);
    EXPECT_EQ(reader.skip(SIZE_MAX).error(), Error::truncated);
    EXPECT_EQ(reader.position(), 5u);
    EXPECT_EQ(reader.peek_at<u8>(8).error(), Error::truncated);
    EXPECT_EQ(reader.peek_at<u64>(1).error(), Error::truncated);
    EXPECT_EQ(reader.peek_at<u16>(SIZE_MAX).error(), Error::truncated);
    EXPECT_EQ(reader.read_bytes(3).value().size(), 3u);
    EXPECT_EQ(reader.read_bytes(0).value().size(), 0u);
    EXPECT_EQ(reader.read<u8>().error(), Error::truncated);
    EXPECT_EQ(ByteReader({}).read<u8>().error(), Error::truncated);
}

TEST(Crc32, KnownAnswers) {
    EXPECT_EQ(crc32({}), 0u);
    EXPECT_EQ(crc32(bytes_of_text("123456789")), 0xCBF43926u);
    EXPECT_EQ(crc32(bytes_of_text("The quick brown fox jumps over the lazy dog")), 0x414FA339u);
    static_assert(crc32(counting) != 0);
}

TEST(Crc32, PiecesGiveTheSame) {
    std::string_view const text = "123456789";
    for (usize cut = 0; cut <= text.size(); ++cut) {
        Crc32 checksum;
        checksum.update(bytes_of_text(slice(text, 0, cut)));
        checksum.update(bytes_of_text(slice(text, cut, text.size() - cut)));
        EXPECT_EQ(checksum.value(), 0xCBF43926u);
    }
}

TEST(Random, KnownAnswers) {
    SplitMix64 split(1234567); // the first outputs of the authors' program for this seed
    EXPECT_EQ(split.next(), 6457827717110365317u);
    EXPECT_EQ(split.next(), 3203168211198807973u);
    EXPECT_EQ(split.next(), 9817491932198370423u);
    static_assert(SplitMix64(0).next() == 0xE220'A839'7B1D'CDAF);
    static_assert(Random(42).next() == Random(42).next());
    EXPECT_EQ(Random(0).next(), 0x99EC5F36CB75F2B4u);
    EXPECT_NE(Random(0).next(), Random(1).next());
}

TEST(Random, BelowStaysBelowAndReachesAll) {
    Random random(3);
    u32 seen[7] = {};
    for (int i = 0; i < 7000; ++i) {
        u64 const value = random.below(7);
        ASSERT_LT(value, 7u);
        ++seen[value];
    }
    for (u32 const count : seen) { // 1000 expected, standard deviation 29
        EXPECT_GT(count, 800u);
        EXPECT_LT(count, 1200u);
    }
    EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, BelowHasNoBiasAtAwkwardLimits) {
    // With this limit, taking the remainder alone would give the lower half twice as often.
    constexpr u64 limit = (u64{1} << 63) + (u64{1} << 62);
    Random random(11);
    u32 low = 0;
    for (int i = 0; i < 3000; ++i) {
        low += random.below(limit) < limit / 3 ? 1 : 0;
    }
    EXPECT_GT(low, 850u); // a third is 1000; with bias it would be 1500
    EXPECT_LT(low, 1150u);
}

TEST(Random, BetweenIncludesBothEnds) {
    Random random(5);
    bool first = false;
    bool last = false;
    for (int i = 0; i < 200; ++i) {
        u64 const value = random.between(10, 12);
        ASSERT_GE(value, 10u);
        ASSERT_LE(value, 12u);
        first = first || value == 10;
        last = last || value == 12;
    }
    EXPECT_TRUE(first && last);
    EXPECT_EQ(random.between(9, 9), 9u);
    EXPECT_NE(random.between(0, UINT64_MAX), random.between(0, UINT64_MAX));
}

TEST(Text, SlicesAndCodePoints) {
    EXPECT_EQ(slice("abcdef", 2, 3), "cde");
    EXPECT_EQ(slice("abc", 3, 0), "");
    EXPECT_EQ(code_point_count("a\u00e9\u20ac"), 3u);
    EXPECT_EQ(code_point_prefix("a\u00e9\u20ac", 2), "a\u00e9");
    EXPECT_EQ(code_point_prefix("abc", 9), "abc");
    EXPECT_EQ(code_point_prefix("", 0), "");
    char const* const none = nullptr;
    EXPECT_EQ(text_of(none), "(null)");
    EXPECT_EQ(text_of("abc").size(), 3u);
    static_assert(slice("abc", 1, 1) == "b");
}

TEST(Bits, AligningAtTheEdges) {
    EXPECT_EQ(align_up(0, 4096), 0u);
    EXPECT_EQ(align_up(1, 4096), 4096u);
    EXPECT_EQ(align_up(4096, 4096), 4096u);
    EXPECT_EQ(align_up(UINT64_MAX, 4096), 0u);
    EXPECT_EQ(align_down(4095, 4096), 0u);
    EXPECT_EQ(align_down(UINT64_MAX, 4096), UINT64_MAX - 4095);
    EXPECT_TRUE(is_aligned(8192, 4096));
    EXPECT_FALSE(is_aligned(8191, 4096));
    EXPECT_FALSE(is_power_of_two(0));
    EXPECT_TRUE(is_power_of_two(u64{1} << 63));
    EXPECT_EQ(align_up(PhysAddr{5}, Bytes{8}), PhysAddr{8});
    EXPECT_TRUE(ranges_overlap(0, 10, 9, 1));
    EXPECT_FALSE(ranges_overlap(0, 10, 10, 1));
    EXPECT_FALSE(ranges_overlap(5, 0, 0, 10));
    EXPECT_TRUE(ranges_overlap(UINT64_MAX, 2, 0, 1));
}

TEST(Errors, EveryErrorHasAName) {
    for (usize i = 0; i < error_count; ++i) {
        EXPECT_NE(error_name(static_cast<Error>(i)), "unknown_error");
    }
    EXPECT_EQ(error_name(static_cast<Error>(error_count)), "unknown_error");
}

} // namespace
} // namespace twofold
