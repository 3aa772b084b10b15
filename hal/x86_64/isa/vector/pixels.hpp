// The pixel kernels over vectors of any width, written once with the compiler's vector types. The
// two sources that include this are compiled for one instruction set each. All is integer
// arithmetic, the reference's own formulas; what is left over at an end is done pixel by pixel.
//
// Everything here has internal linkage: an inline function that a vector object exports could be
// the one that general code calls (tidy's rule `vector`).
#pragma once

#include "core/text/pixel_kernels.hpp"

namespace {

using namespace twofold;

/// `Types` has U32, a vector of words, and U16, the same bytes as half words. In memory they lie
/// anywhere: an alignment that a type's attribute takes away comes back in templates (clang 19; and
/// g++ 12 forgets a size that depends on a template's argument, so each source writes its own).
template<class Types>
struct Vector : Types {
    using typename Types::U32;
    static constexpr usize lanes = sizeof(U32) / sizeof(u32);

    static U32 load(u32 const* from) {
        U32 value;
        __builtin_memcpy(&value, from, sizeof(value));
        return value;
    }
    static void store(u32* to, U32 value) { __builtin_memcpy(to, &value, sizeof(value)); }
    static U32 all(u32 value) { return U32{} + value; }
};

template<class V>
void fill(u32* to, usize count, u32 colour) {
    typename V::U32 const value = V::all(colour);
    usize at = 0;
    for (; at + V::lanes <= count; at += V::lanes) {
        V::store(to + at, value);
    }
    for (; at < count; ++at) {
        to[at] = colour;
    }
}

/// A byte of a bitmap is spread over the lanes, and each keeps its own bit.
template<class V>
void glyph(
    u32* to,
    usize stride,
    u8 const* rows,
    u32 row_bytes,
    u32 height,
    u32 foreground,
    u32 background) {
    constexpr usize parts = 8 / V::lanes;
    constexpr u32 bit_of_pixel[8] = {0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1};
    typename V::U32 bits[parts];
    for (usize part = 0; part < parts; ++part) {
        bits[part] = V::load(bit_of_pixel + part * V::lanes);
    }
    typename V::U32 const ground = V::all(background);
    typename V::U32 const difference = V::all(foreground ^ background);
    for (u32 row = 0; row < height; ++row) {
        for (u32 byte = 0; byte < row_bytes; ++byte) {
            typename V::U32 const eight = V::all(rows[usize{row} * row_bytes + byte]);
            for (usize part = 0; part < parts; ++part) {
                // All ones in the lanes whose bit is set.
                typename V::U32 const mask = (typename V::U32)((eight & bits[part]) == bits[part]);
                V::store(to + usize{byte} * 8 + part * V::lanes, ground ^ (difference & mask));
            }
        }
        to += stride;
    }
}

/// Blue and red in the halves of a word, green in the lower one of another: 16 bits hold each sum.
template<class V>
void blend(u32* to, u32 const* from, usize count) {
    using U32 = typename V::U32;
    using U16 = typename V::U16;
    U32 const low_bytes = V::all(0x00FF'00FF);
    auto const mixed = [](U32 above, U32 below, U32 alpha) {
        U16 const opacity = (U16)alpha;
        U16 const sum = (U16)above * opacity + (U16)below * (255 - opacity) + 128;
        return (U32)((sum + (sum >> 8)) >> 8);
    };
    usize at = 0;
    for (; at + V::lanes <= count; at += V::lanes) {
        U32 const above = V::load(from + at);
        U32 const below = V::load(to + at);
        U32 const alpha = (above >> 24) | (above >> 24 << 16);
        U32 const blue_and_red = mixed(above & low_bytes, below & low_bytes, alpha);
        U32 const green = mixed(above >> 8 & 0xFF, below >> 8 & 0xFF, alpha);
        V::store(to + at, (blue_and_red & low_bytes) | (green & 0xFF) << 8);
    }
    for (; at < count; ++at) {
        u32 const alpha = from[at] >> 24;
        u32 result = 0;
        for (u32 shift = 0; shift < 24; shift += 8) {
            u32 const one = from[at] >> shift & 0xFF;
            u32 const other = to[at] >> shift & 0xFF;
            u32 const sum = one * alpha + other * (255 - alpha) + 128;
            result |= (sum + (sum >> 8)) >> 8 << shift;
        }
        to[at] = result;
    }
}

template<class Types>
constexpr twofold::text::PixelKernels kernels{
    &fill<Vector<Types>>, &glyph<Vector<Types>>, &blend<Vector<Types>>};

} // namespace
