// Fonts for screens: every glyph as a bitmap of one size, in two weights, found by code point. The
// two that are built in are Terminus, made from the distribution's console fonts at build time
// (tools/text/font_table.py). Pure; what is here is constant.
#pragma once

#include "core/text/utf8_decoder.hpp"

#include <span>

namespace twofold::text {

enum class Weight : u8 { regular, bold };

/// Glyphs of width x height pixels; rows of whole bytes, the left pixel in the highest bit. Glyph 0
/// stands for what is missing.
struct Font {
    /// Two levels: a block for each 64 code points of the Basic Multilingual Plane, equal blocks
    /// once.
    static constexpr u32 block_points = 64;
    static constexpr u32 points = 0x1'0000;
    static constexpr u32 weights = 2;

    /// The number of a glyph, or 0 where there is none. O(1).
    constexpr u32 find(CodePoint point) const {
        if (point >= points) {
            return 0;
        }
        return indices[usize{places[point / block_points]} * block_points + point % block_points];
    }
    constexpr bool has(CodePoint point) const { return find(point) != 0; }

    constexpr u32 row_bytes() const { return width / 8; }
    constexpr u32 glyph_bytes() const { return row_bytes() * height; }
    constexpr u32 glyph_count() const { return static_cast<u32>(shapes[0].size() / glyph_bytes()); }
    /// The rows of a glyph, from the top. O(1).
    constexpr std::span<u8 const> glyph(u32 number, Weight weight) const {
        std::span<u8 const> const all = shapes[static_cast<u32>(weight)];
        return all.subspan(usize{number} * glyph_bytes(), glyph_bytes());
    }

    u32 width;
    u32 height;
    std::span<u8 const> places;
    std::span<u16 const> indices;
    std::span<u8 const> shapes[weights];
};

extern Font const font_8x16;
extern Font const font_16x32;

} // namespace twofold::text
