// Where the one window of a hosted machine lies in a process under ThreadSanitizer, which allows an
// application a few ranges only; the end of the lower half is one of them (from 0x7e80'0000'0000,
// compiler-rt's tsan_platform.h). Two top-level table slots of it, one of them the heap's. Linux
// maps libraries there too, from the upper end if it does not randomise (sanitizer/thread). The
// twin of wide/window_place.hpp, which says what each constant is for.
#pragma once

#include "core/base/base.hpp"

namespace hosted {

using namespace twofold;

inline constexpr unsigned window_count = 1;
inline constexpr u64 window_bytes = u64{320} << 30;
inline constexpr u64 first_window = 0x7ec0'0000'0000;
inline constexpr u64 linear_bytes = u64{64} << 30;
inline constexpr u64 own_bytes = u64{64} << 30;
inline constexpr u64 stacks_offset = u64{128} << 30;
inline constexpr u64 views_offset = u64{160} << 30;
inline constexpr u64 stacks_bytes = u64{16} << 30;
inline constexpr u64 heap_offset = u64{256} << 30;
inline constexpr u64 heap_bytes = u64{64} << 30;
inline constexpr u64 windows_lowest = 0x7e80'0000'0000;
inline constexpr u64 windows_highest = 0x7f80'0000'0000;

} // namespace hosted
