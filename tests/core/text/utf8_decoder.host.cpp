// The decoder beside the Unicode standard's own examples, beside a plain model over random bytes,
// and over every code point; and the widths of characters.
#include "core/text/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::text;

constexpr CodePoint bad = replacement_character;

std::vector<CodePoint> decode(std::string_view bytes) {
    Utf8Decoder decoder;
    std::vector<CodePoint> points;
    for (char const byte : bytes) {
        Decoded const decoded = decoder.take(static_cast<u8>(byte));
        points.insert(points.end(), decoded.items, decoded.items + decoded.count);
    }
    points.insert(points.end(), decoder.finish(), bad);
    return points;
}

/// Every true prefix of a well-formed sequence, by encoding one code point for each of them: those
/// that differ in the last byte alone share theirs.
struct Model {
    Model() {
        for (CodePoint point = 0x80; point <= code_point_max; point += 64) {
            if (point >= 0xD800 && point <= 0xDFFF) {
                continue;
            }
            std::string const whole(encode_utf8(point).view());
            for (usize length = 1; length < whole.size(); ++length) {
                prefixes.push_back(whole.substr(0, length));
            }
        }
        std::sort(prefixes.begin(), prefixes.end());
        prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
    }
    bool is_prefix(std::string_view bytes) const {
        return std::binary_search(prefixes.begin(), prefixes.end(), bytes);
    }
    /// The longest prefix is one replacement; else one byte is.
    std::vector<CodePoint> decode(std::string_view bytes) const {
        std::vector<CodePoint> points;
        while (!bytes.empty()) {
            usize length = 1;
            auto const lead = static_cast<u8>(bytes[0]);
            if (lead < 0x80) {
                points.push_back(lead);
            } else {
                while (length < bytes.size() && is_prefix(bytes.substr(0, length)) &&
                       (is_prefix(bytes.substr(0, length + 1)) ||
                        is_whole(bytes.substr(0, length + 1)))) {
                    ++length;
                }
                points.push_back(
                    is_whole(bytes.substr(0, length)) ? value(bytes.substr(0, length)) : bad);
            }
            bytes.remove_prefix(length);
        }
        return points;
    }
    static CodePoint value(std::string_view bytes) {
        constexpr u32 masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
        CodePoint point = static_cast<u8>(bytes[0]) & masks[bytes.size()];
        for (char const byte : bytes.substr(1)) {
            point = point << 6 | (static_cast<u8>(byte) & 0x3F);
        }
        return point;
    }
    static bool is_whole(std::string_view bytes) {
        return bytes.size() >= 2 && bytes.size() <= 4 && encode_utf8(value(bytes)).view() == bytes;
    }
    std::vector<std::string> prefixes;
};

TEST(Utf8Decoder, EveryCodePointComesBack) {
    for (CodePoint point = 0; point <= code_point_max; ++point) {
        bool const is_surrogate = point >= 0xD800 && point <= 0xDFFF;
        Utf8Decoder decoder;
        Decoded last;
        Utf8Bytes const encoded = encode_utf8(point);
        for (char const byte : encoded.view()) {
            ASSERT_EQ(last.count, 0u);
            last = decoder.take(static_cast<u8>(byte));
        }
        ASSERT_EQ(last.count, 1u);
        ASSERT_EQ(last.items[0], is_surrogate ? bad : point);
    }
    EXPECT_EQ(encode_utf8(code_point_max + 1).view(), "\xEF\xBF\xBD");
}

TEST(Utf8Decoder, TheStandardsExamples) {
    // Unicode 15.0, tables 3-8 to 3-11.
    EXPECT_EQ(
        decode("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
        (std::vector<CodePoint>{bad, bad, bad, bad, bad, bad, bad, bad, 0x41}));
    EXPECT_EQ(
        decode("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
        (std::vector<CodePoint>{bad, bad, bad, bad, bad, bad, bad, bad, 0x41}));
    EXPECT_EQ(
        decode("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
        (std::vector<CodePoint>{bad, bad, bad, bad, bad, 0x41, bad, bad, 0x42}));
    EXPECT_EQ(
        decode("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"),
        (std::vector<CodePoint>{bad, bad, bad, bad, 0x41}));
}

TEST(Utf8Decoder, WhatIsCutIsOneReplacement) {
    EXPECT_EQ(decode("a\xE2\x82"), (std::vector<CodePoint>{'a', bad}));
    EXPECT_EQ(decode("\xF0"), std::vector<CodePoint>{bad});
    EXPECT_EQ(decode(""), std::vector<CodePoint>{});
}

TEST(Utf8Decoder, EqualsAModelForRandomBytes) {
    Model const model;
    std::mt19937 random(15);
    // Bytes near the borders of the table of well-formed sequences.
    constexpr std::string_view likely = "A\x7F\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xDF\xE0\xE1\xED\xEF"
                                        "\xF0\xF1\xF4\xF5\xFF";
    for (u32 round = 0; round < 20'000; ++round) {
        std::string bytes;
        for (u32 length = random() % 12; length > 0; --length) {
            bytes += random() % 4 == 0 ? static_cast<char>(random()) : likely[random() % 20];
        }
        ASSERT_EQ(decode(bytes), model.decode(bytes)) << ::testing::PrintToString(bytes);
    }
}

TEST(Width, OfWhatIsKnown) {
    for (CodePoint const narrow : {0x20u, 0x41u, 0x7Eu, 0xA0u, 0xADu, 0xE9u, 0x416u, 0x2500u}) {
        EXPECT_EQ(width_of(narrow), 1u) << narrow;
    }
    // Ideographs, assigned or not, kana, Hangul, fullwidth forms, emoji.
    for (CodePoint const wide :
         {0x1100u, 0x3042u, 0x4E00u, 0x9FFFu, 0xAC00u, 0xFF21u, 0x1F600u, 0x2'0000u, 0x3'FFFDu}) {
        EXPECT_EQ(width_of(wide), 2u) << wide;
    }
    // Controls, marks, vowels of conjoining Hangul, format characters.
    for (CodePoint const none :
         {0u, 0x1Fu, 0x7Fu, 0x9Fu, 0x300u, 0x483u, 0x1160u, 0xD7B0u, 0x200Bu, 0x200Du, 0xFE0Fu,
          0x20DDu, 0xE'0100u}) {
        EXPECT_EQ(width_of(none), 0u) << none;
    }
    EXPECT_EQ(width_of(code_point_max), 1u);
    EXPECT_EQ(width_of(code_point_max + 1), 1u);
    EXPECT_EQ(width_of(~CodePoint{0}), 1u);
}

} // namespace
