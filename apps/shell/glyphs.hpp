// Glyphs: how clusters of a text are shown in the cells of a terminal. Pure; any context.
#pragma once

#include "apps/shell/clusters.hpp"

namespace twofold::shell {

/// What stands in one cell or two: a character with its marks.
struct ShownGlyph {
    static constexpr usize bytes_max = 20; ///< further marks are left out

    char bytes[bytes_max] = {};
    u8 size = 0;
    u8 width = 1;

    std::string_view view() const { return {bytes, size}; }
    void add(std::string_view more) {
        for (char const byte : size + more.size() <= bytes_max ? more : std::string_view()) {
            bytes[size++] = byte;
        }
    }
};

/// A control is two glyphs, as in "^A"; everything else is one.
struct ShownCluster {
    ShownGlyph glyphs[2];
    u32 count = 1;

    std::span<ShownGlyph const> items() const { return {glyphs, count}; }
    u32 width() const { return glyphs[0].width + (count > 1 ? glyphs[1].width : 0u); }
};

/// A cluster on a screen with that many columns: what is wider than the screen is U+FFFD, and a
/// mark without a character stands on a dotted circle. O(marks).
ShownCluster show_cluster(std::string_view cluster, u32 columns);

/// How many cells a text takes on a wide screen. O(text).
usize cells_of(std::string_view letters);

} // namespace twofold::shell
