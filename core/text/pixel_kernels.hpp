// The innermost loops of drawing, as a table that a machine may fill with faster ones. What the
// room itself offers is the reference; every other table gives the same pixels, bit for bit.
//
// Pixels are 32-bit words, 0xXXRRGGBB. Pure; any context that owns the registers which a table's
// functions use (the reference uses general ones alone).
#pragma once

#include "core/base/integers.hpp"

namespace twofold::text {

/// A C-shaped interface: pointers and counts, no errors. Pointers are aligned to their words.
struct PixelKernels {
    /// to[0, count) = colour.
    void (*fill)(u32* to, usize count, u32 colour);
    /// A bitmap of `height` rows of `row_bytes` bytes, 8 pixels a byte, the left one in the highest
    /// bit: `foreground` where a bit is set, else `background`. Rows of pixels are `stride` apart.
    void (*glyph)(
        u32* to,
        usize stride,
        u8 const* rows,
        u32 row_bytes,
        u32 height,
        u32 foreground,
        u32 background);
    /// Each pixel of `from`, 0xAARRGGBB, over the one of `to`, whose top byte becomes 0: for each
    /// colour (from * A + to * (255 - A)) / 255, rounded to the nearest.
    void (*blend)(u32* to, u32 const* from, usize count);
};

/// The reference. O(1).
PixelKernels const& reference_pixel_kernels();

} // namespace twofold::text
