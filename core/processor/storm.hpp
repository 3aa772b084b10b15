// When an interrupt comes so often that nothing else gets its turn, or again and again without
// anybody who knows of it. Pure: counts and a moment in, a verdict out.
#pragma once

#include "core/base/base.hpp"

namespace twofold::processor {

enum class Storm : u8 {
    none,
    unhandled, ///< nearly all of a window were nobody's
    too_often, ///< a window was over in too short a time
};

constexpr char const* storm_name(Storm storm) {
    switch (storm) {
    case Storm::unhandled:
        return "nobody handles it";
    case Storm::too_often:
        return "it comes too often";
    case Storm::none:
        break;
    }
    return "none";
}

/// A window is so many interrupts of one vector on one processor; a power of two.
inline constexpr u32 storm_window = 1024;
/// So many of a window may be nobody's, as on a line that devices share.
inline constexpr u32 storm_unhandled_max = storm_window * 15 / 16;
/// The shortest time that a window may take: 20 us for each interrupt.
inline constexpr Nanos storm_window_min{i64{storm_window} * 20'000};
/// How long a vector or line is silenced, doubled each time up to a bound.
inline constexpr Nanos storm_pause_first{10'000'000};
inline constexpr Nanos storm_pause_max{2'560'000'000};

/// Judges a window that has just ended. O(1).
constexpr Storm judge_window(u32 unhandled, Nanos took) {
    if (unhandled > storm_unhandled_max) {
        return Storm::unhandled;
    }
    return took < storm_window_min ? Storm::too_often : Storm::none;
}

/// The pause after one of `before`; zero before the first. O(1).
constexpr Nanos next_storm_pause(Nanos before) {
    if (before == Nanos{}) {
        return storm_pause_first;
    }
    return before >= storm_pause_max ? storm_pause_max : before + before;
}

} // namespace twofold::processor
