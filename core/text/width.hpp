// How many cells of a terminal a code point takes. The table is made from the Unicode character
// database (tools/text/width_table.py says by which rules). Pure; any context.
#pragma once

#include "core/text/utf8_decoder.hpp"

namespace twofold::text {

/// Two levels: a block for each 256 code points, equal blocks once; two bits a code point.
inline constexpr u32 width_block_points = 256;
inline constexpr u32 width_block_bytes = width_block_points / 4;
extern u8 const width_blocks[(code_point_max + 1) / width_block_points];
extern u8 const width_bits[];

/// 0 (combining marks, format characters, controls), 1, or 2 (East Asian wide and fullwidth); 1 for
/// what is no code point. O(1).
inline u32 width_of(CodePoint point) {
    if (point - 0x20 < 0x5F) [[likely]] {
        return 1;
    }
    if (point > code_point_max) {
        return 1;
    }
    u32 const block = width_blocks[point / width_block_points];
    u32 const within = point % width_block_points;
    return width_bits[block * width_block_bytes + within / 4] >> (within % 4 * 2) & 3;
}

} // namespace twofold::text
