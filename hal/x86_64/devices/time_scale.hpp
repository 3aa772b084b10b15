// Between ticks of a counter and nanoseconds, without a division where time is read.
//
// Invariant: both directions round down and stop at their largest value; whoever must not be early
// adds a tick and looks again.
#pragma once

#include "core/base/base.hpp"

namespace metal {

using namespace twofold;

/// Factors with 32 bits behind the point: exact to one part in a thousand million at 4 GHz.
class TimeScale {
public:
    static constexpr u64 hz_min = 100'000;
    static constexpr u64 hz_max = 100'000'000'000;

    constexpr TimeScale() = default;
    constexpr explicit TimeScale(u64 hz)
        : m_nanos_per_tick((nanos_per_second << 32) / hz),
          m_ticks_per_nano(
              (hz / nanos_per_second << 32) + ((hz % nanos_per_second) << 32) / nanos_per_second) {
        CHECK(hz >= hz_min && hz <= hz_max);
    }

    /// The time that `ticks` take. O(1).
    constexpr Nanos nanos(u64 ticks) const {
        u64 const product = multiply(ticks, m_nanos_per_tick);
        constexpr u64 most = ~u64{0} >> 1;
        return {static_cast<i64>(product < most ? product : most)};
    }

    /// The ticks in `time`, which is not negative. O(1).
    constexpr u64 ticks(Nanos time) const {
        CHECK(time.value >= 0);
        return multiply(static_cast<u64>(time.value), m_ticks_per_nano);
    }

private:
    static constexpr u64 nanos_per_second = 1'000'000'000;

    static constexpr u64 multiply(u64 value, u64 factor) {
        auto const product = static_cast<unsigned __int128>(value) * factor >> 32;
        return static_cast<u64>(product >> 64) == 0 ? static_cast<u64>(product) : ~u64{0};
    }

    u64 m_nanos_per_tick = 0;
    u64 m_ticks_per_nano = 0;
};

} // namespace metal
