// The fonts that are built in, and the themes: contrast after WCAG 2.1.
#include "core/text/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace {

using namespace twofold;
using namespace twofold::text;

/// A glyph with a letter for each pixel that is set.
std::string drawn(Font const& font, CodePoint point, Weight weight = Weight::regular) {
    std::span<u8 const> const glyph = font.glyph(font.find(point), weight);
    std::string lines;
    for (u32 row = 0; row < font.height; ++row) {
        for (u32 column = 0; column < font.width; ++column) {
            u8 const byte = glyph[row * font.row_bytes() + column / 8];
            lines += byte >> (7 - column % 8) & 1 ? '#' : '.';
        }
        lines += '\n';
    }
    return lines;
}

TEST(Font, DrawsALetter) {
    // clang-format off
    EXPECT_EQ(drawn(font_8x16, 'L'),
        "........\n........\n"
        ".#......\n.#......\n.#......\n.#......\n.#......\n"
        ".#......\n.#......\n.#......\n.#......\n.######.\n"
        "........\n........\n........\n........\n");
    EXPECT_EQ(drawn(font_8x16, 0x2588),
        "########\n########\n########\n########\n########\n########\n########\n########\n"
        "########\n########\n########\n########\n########\n########\n########\n########\n");
    EXPECT_EQ(drawn(font_8x16, 0x2583), // lower three eighths, which no file has
        "........\n........\n........\n........\n........\n........\n........\n........\n"
        "........\n........\n########\n########\n########\n########\n########\n########\n");
    EXPECT_EQ(drawn(font_8x16, 0x259E).substr(0, 18), "....####\n....####\n");
    // clang-format on
    EXPECT_NE(drawn(font_8x16, 'L', Weight::bold), drawn(font_8x16, 'L'));
}

TEST(Font, SizesAndCoverage) {
    EXPECT_EQ(font_8x16.width, 8u);
    EXPECT_EQ(font_8x16.height, 16u);
    EXPECT_EQ(font_16x32.width, 16u);
    EXPECT_EQ(font_16x32.height, 32u);
    for (Font const* const font : {&font_8x16, &font_16x32}) {
        EXPECT_GE(font->glyph_count(), 900u);
        std::vector<CodePoint> wanted = {0xFFFD, 0x20AC, 0x2192, 0x25CF, 0x105, 0x159};
        auto const add = [&](CodePoint first, CodePoint last) {
            for (CodePoint point = first; point <= last; ++point) {
                wanted.push_back(point);
            }
        };
        add(0x20, 0x7E);
        add(0xA0, 0xFF);
        add(0x3B1, 0x3C9);
        add(0x410, 0x451);
        add(0x2500, 0x259F);
        for (CodePoint const point : wanted) {
            EXPECT_TRUE(font->has(point)) << std::hex << point;
        }
        u32 found = 0;
        for (CodePoint point = 0; point <= code_point_max; ++point) {
            ASSERT_LT(font->find(point), font->glyph_count());
            found += font->has(point) ? 1 : 0;
        }
        EXPECT_EQ(found + 1, font->glyph_count());
    }
}

TEST(Font, WhatIsMissingIsABox) {
    for (CodePoint const point : {0x4E00u, 0x1F600u, code_point_max, ~0u}) {
        EXPECT_FALSE(font_8x16.has(point));
        EXPECT_EQ(font_8x16.find(point), 0u);
    }
    std::string const box = drawn(font_8x16, 0x4E00);
    EXPECT_EQ(box.substr(0, 36), "........\n........\n.######.\n.#....#.\n");
    EXPECT_NE(box, drawn(font_8x16, ' '));
}

/// WCAG 2.1, "relative luminance" and "contrast ratio".
double luminance(Rgb colour) {
    auto const linear = [](u32 level) {
        double const value = level / 255.0;
        return value <= 0.03928 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(colour >> 16 & 0xFF) + 0.7152 * linear(colour >> 8 & 0xFF) +
           0.0722 * linear(colour & 0xFF);
}

double contrast(Rgb a, Rgb b) {
    double const one = luminance(a);
    double const other = luminance(b);
    return (std::max(one, other) + 0.05) / (std::min(one, other) + 0.05);
}

TEST(Theme, TheFormulaIsWcags) {
    EXPECT_NEAR(contrast(0xFFFFFF, 0x000000), 21, 1e-9);
    EXPECT_NEAR(contrast(0x777777, 0xFFFFFF), 4.48, 0.005);
}

TEST(Theme, TextCanBeRead) {
    ASSERT_GE(themes().size(), 3u);
    for (Theme const& theme : themes()) {
        EXPECT_GE(contrast(theme.text, theme.background), 7) << theme.name;
        EXPECT_GE(contrast(theme.text, theme.selection), 7) << theme.name;
        EXPECT_GE(contrast(theme.cursor, theme.background), 3) << theme.name;
        // Red to cyan, on the theme's own ground (AA).
        for (u32 i = 1; i <= 6; ++i) {
            EXPECT_GE(contrast(theme.palette[i], theme.background), 4.5) << theme.name << " " << i;
        }
    }
}

TEST(Theme, HighContrast) {
    Theme const& theme = *find_theme("contrast").value();
    EXPECT_GE(contrast(theme.cursor, theme.background), 7);
    EXPECT_EQ(theme.palette[0], theme.background);
    for (u32 i = 1; i < Theme::palette_size; ++i) {
        EXPECT_GE(contrast(theme.palette[i], theme.background), 7) << i;
    }
}

TEST(Theme, NamesAndColours) {
    EXPECT_EQ(find_theme("dark").value()->name, "dark");
    EXPECT_EQ(find_theme("light").value()->name, "light");
    EXPECT_EQ(find_theme("none").error(), Error::not_found);
    Theme const& theme = *find_theme("dark").value();
    EXPECT_EQ(theme.rgb({}, 0x123456), 0x123456u);
    EXPECT_EQ(theme.rgb(Colour::palette(3), 0), theme.palette[3]);
    EXPECT_EQ(theme.rgb(Colour::palette(16), 1), 0x000000u);
    EXPECT_EQ(theme.rgb(Colour::palette(16 + 36 * 5 + 6 * 2 + 1), 1), 0xFF875Fu);
    EXPECT_EQ(theme.rgb(Colour::palette(231), 1), 0xFFFFFFu);
    EXPECT_EQ(theme.rgb(Colour::palette(232), 1), 0x080808u);
    EXPECT_EQ(theme.rgb(Colour::palette(255), 1), 0xEEEEEEu);
    EXPECT_EQ(theme.rgb(Colour::direct(1, 2, 3), 0), 0x010203u);
}

} // namespace
