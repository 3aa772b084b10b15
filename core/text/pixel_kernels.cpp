// The reference of the pixel kernels: two pixels at a time, in general registers.
#include "core/text/pixel_kernels.hpp"

#include <span>

namespace twofold::text {

namespace {

/// Two neighbours, written at once.
struct Pair {
    u32 left;
    u32 right;
};

void put(u32& left, Pair const& pair) {
    __builtin_memcpy(&left, &pair, sizeof(pair));
}

void fill(u32* to, usize count, u32 colour) {
    std::span<u32> const pixels(to, count);
    Pair const pair{colour, colour};
    usize at = 0;
    for (; at + 8 <= count; at += 8) {
        put(pixels[at], pair);
        put(pixels[at + 2], pair);
        put(pixels[at + 4], pair);
        put(pixels[at + 6], pair);
    }
    for (; at < count; ++at) {
        pixels[at] = colour;
    }
}

void glyph(
    u32* to,
    usize stride,
    u8 const* rows,
    u32 row_bytes,
    u32 height,
    u32 foreground,
    u32 background) {
    Pair const pairs[4] = {
        {background, background},
        {background, foreground},
        {foreground, background},
        {foreground, foreground}};
    std::span<u8 const> const bits(rows, usize{row_bytes} * height);
    std::span<u32> const pixels(to, height == 0 ? 0 : stride * (height - 1) + usize{row_bytes} * 8);
    for (u32 row = 0; row < height; ++row) {
        for (u32 byte = 0; byte < row_bytes; ++byte) {
            u32 const eight = bits[usize{row} * row_bytes + byte];
            usize const at = row * stride + usize{byte} * 8;
            put(pixels[at], pairs[eight >> 6]);
            put(pixels[at + 2], pairs[eight >> 4 & 3]);
            put(pixels[at + 4], pairs[eight >> 2 & 3]);
            put(pixels[at + 6], pairs[eight & 3]);
        }
    }
}

/// x / 255, rounded to the nearest, for x up to 255 * 255 (J. Blinn, "Three Wrongs Make a Right",
/// IEEE Computer Graphics and Applications, 1995).
constexpr u32 divide_by_255(u32 x) {
    u32 const shifted = x + 128;
    return (shifted + (shifted >> 8)) >> 8;
}

void blend(u32* to, u32 const* from, usize count) {
    std::span<u32> const below(to, count);
    std::span<u32 const> const above(from, count);
    for (usize at = 0; at < count; ++at) {
        u32 const alpha = above[at] >> 24;
        u32 result = 0;
        for (u32 shift = 0; shift < 24; shift += 8) {
            u32 const one = above[at] >> shift & 0xFF;
            u32 const other = below[at] >> shift & 0xFF;
            result |= divide_by_255(one * alpha + other * (255 - alpha)) << shift;
        }
        below[at] = result;
    }
}

constexpr PixelKernels reference{&fill, &glyph, &blend};

} // namespace

PixelKernels const& reference_pixel_kernels() {
    return reference;
}

} // namespace twofold::text
