// Where the windows of hosted machines lie: 48 of one TiB each, two top-level table slots. The
// build chooses between this file and its twin in narrow/ by include path.
//
// Windows go downwards from the first, from 0x4380'0000'0000 to 0x1480'0000'0000. That is clear of
// AddressSanitizer's shadow (up to 0x1000'7fff'8000) and allocator (0x5000'0000'0000 or
// 0x6000'0000'0000 upwards), and of where Linux places programs, libraries and stacks
// (0x5500'0000'0000 upwards).
//
//     + 0           linear     256 GiB
//     + 256 GiB     own        256 GiB
//     + 512 GiB     stacks      64 GiB
//     + 640 GiB     views       64 GiB
//     + 785 GiB     heap       128 GiB   window 0: 0x4444'4444'0000
#pragma once

#include "core/base/base.hpp"

namespace hosted {

using namespace twofold;

inline constexpr unsigned window_count = 48;
inline constexpr u64 window_bytes = u64{1} << 40;
inline constexpr u64 first_window = 0x4380'0000'0000;
inline constexpr u64 linear_bytes = u64{256} << 30;
inline constexpr u64 own_bytes = u64{256} << 30;
inline constexpr u64 stacks_offset = u64{512} << 30;
inline constexpr u64 views_offset = u64{640} << 30;
inline constexpr u64 stacks_bytes = u64{64} << 30; ///< and those of the views
inline constexpr u64 heap_offset = 0x4444'4444'0000 - first_window;
inline constexpr u64 heap_bytes = u64{128} << 30;
/// Where a sanitizer or the host has other things: windows lie between.
inline constexpr u64 windows_lowest = 0x1000'7fff'8000;
inline constexpr u64 windows_highest = 0x5000'0000'0000;

} // namespace hosted
