// The units of the heap, and how bytes become granules, codes and bins.
//
//     granule   16 bytes; every block is a whole number of them
//     window    2 granules; blocks have at least so much, so at most one begins in a window, and
//               one byte for each window (the block map) describes all blocks
//     page      256 granules; what is committed and given back
#pragma once

#include "core/base/base.hpp"

namespace twofold::memory::heap {

inline constexpr unsigned granule_shift = 4;
inline constexpr u64 granule_bytes = u64{1} << granule_shift;
inline constexpr u64 page_granules = page_size.value / granule_bytes;
inline constexpr u64 window_granules = 2;
inline constexpr u64 page_windows = page_granules / window_granules;
/// Blocks up to here are small: they pass through the caches.
inline constexpr u64 small_granules_max = 64;
inline constexpr u64 small_bytes_max = small_granules_max * granule_bytes;
/// Blocks up to here are medium: they rest in quick lists.
inline constexpr u64 medium_granules_max = 2048;
inline constexpr u64 medium_bytes_max = medium_granules_max * granule_bytes;
/// The code of a small block is its number of granules less one, so 1 to 63; 0 says "large".
inline constexpr u32 code_count = 64;
/// Granule numbers fit in 32 bits, and one is left for "none".
inline constexpr u64 granules_max = (u64{1} << 32) - page_granules;

static_assert(page_granules == 256 && small_granules_max == code_count);

/// How many granules hold `size` bytes (more than 0).
constexpr u64 granules_for(u64 size) {
    u64 const exact = ((size - 1) >> granule_shift) + 1;
    return exact < window_granules ? window_granules : exact;
}
constexpr u64 code_granules(u32 code) {
    return code + 1;
}
constexpr u64 code_bytes(u32 code) {
    return code_granules(code) << granule_shift;
}

constexpr u64 page_of(u64 granule) {
    return granule / page_granules;
}

/// Lengths of holes are kept in bins: one bin a length below 128 granules, from there on 64 bins
/// an octave, so that a bin's lengths differ by less than 1.6 percent.
inline constexpr u32 bin_octave = 64;
inline constexpr u32 bin_count = 64 * 27;

constexpr u32 bin_of(u64 length) {
    if (length < bin_octave) {
        return static_cast<u32>(length);
    }
    unsigned const octave = static_cast<unsigned>(std::bit_width(length)) - 7;
    return static_cast<u32>(u64{64} * octave + (length >> octave));
}

static_assert(bin_of(63) == 63 && bin_of(64) == 64 && bin_of(127) == 127 && bin_of(128) == 128);
static_assert(bin_of(129) == 128 && bin_of(130) == 129 && bin_of(255) == 191);
static_assert(bin_of(256) == 192 && bin_of((u64{1} << 32) - 1) < bin_count);

/// A run of granules.
struct Run {
    u64 first = 0;
    u64 count = 0;
};

} // namespace twofold::memory::heap
