// Measuring a counter, and the timer that fires deadlines, against a clock of known frequency.
//
// Each instant is caught between two readings of the counter; how far they lie apart is how well
// the instant is known. A measurement goes on until both of its ends are known well enough against
// its length: hundreds of microseconds on an emulator that counts instructions, some milliseconds
// where a register takes a microsecond to read. Whoever holds the processor up in between (a
// hypervisor, firmware) makes an instant worse, not the result.
#pragma once

#include "core/base/base.hpp"

#include <concepts>

namespace metal {

using namespace twofold;

/// A moment that lies between two readings of the counter.
struct Instant {
    u64 counter_before = 0;
    u64 counter_after = 0;
    u64 reference = 0; ///< of the clock measured against, in its ticks, unwrapped
    u32 timer = 0;     ///< of the timer that counts down
    constexpr u64 width() const { return counter_after - counter_before; }
    constexpr u64 middle() const { return counter_before + width() / 2; }
};

/// What is measured: `counter` rises, `timer` falls.
template<class C>
concept Clocks = requires(C& clocks) {
    { clocks.counter() } -> std::same_as<u64>;
    { clocks.timer() } -> std::same_as<u32>;
};

/// A clock of known frequency. `catch_instant` fails if it stands still.
template<class R>
concept Reference = requires(R& reference) {
    { reference.hz() } -> std::same_as<u64>;
    { reference.catch_instant() } -> std::same_as<Result<Instant>>;
};

struct CalibrationLimits {
    u32 error_target_ppm = 500;
    u64 window_min_us = 50;
    u64 window_max_us = 50'000; ///< then it is as good as it is
};

struct Measurement {
    u64 counter_hz = 0;
    u64 timer_hz = 0; ///< 0: it does not count
    u32 error_ppm = 0;
};

/// `part` of `whole`, in parts per million, rounded up.
constexpr u32 parts_per_million(u64 part, u64 whole) {
    constexpr u64 million = 1'000'000;
    if (whole == 0 || part >= whole) {
        return million;
    }
    while (part > ~u64{0} / million) { // both far beyond what is measured
        part >>= 1;
        whole >>= 1;
    }
    return static_cast<u32>((part * million + whole - 1) / whole);
}

/// How many of something that counted `ticks` while `reference_ticks` of a clock went by happen in
/// a second. O(1).
constexpr u64 frequency(u64 ticks, u64 reference_ticks, u64 reference_hz) {
    CHECK(reference_ticks != 0);
    while (ticks > ~u64{0} / reference_hz) {
        ticks >>= 1;
        reference_ticks >>= 1;
    }
    return reference_ticks == 0 ? 0 : ticks * reference_hz / reference_ticks;
}

/// What two instants say together. O(1).
constexpr Measurement evaluate(Instant const& first, Instant const& last, u64 reference_hz) {
    u64 const elapsed = last.middle() - first.middle();
    u64 const reference_ticks = last.reference - first.reference;
    if (reference_ticks == 0) {
        return {};
    }
    return {
        .counter_hz = frequency(elapsed, reference_ticks, reference_hz),
        .timer_hz = frequency(first.timer - last.timer, reference_ticks, reference_hz),
        .error_ppm = parts_per_million((first.width() + last.width()) / 2, elapsed)};
}

/// One measurement. Errors: not_supported if the reference stands still.
template<Reference R>
Result<Measurement> measure(R& reference, CalibrationLimits const& limits) {
    constexpr u64 microseconds_per_second = 1'000'000;
    constexpr unsigned tries = 3;
    u64 const shortest = reference.hz() * limits.window_min_us / microseconds_per_second;
    u64 const longest = reference.hz() * limits.window_max_us / microseconds_per_second;
    Instant first = TRY(reference.catch_instant());
    for (unsigned attempt = 1; attempt < tries; ++attempt) {
        Instant const other = TRY(reference.catch_instant());
        first = other.width() < first.width() ? other : first;
    }
    for (;;) { // until `longest` at the latest: the reference moves, or it fails
        Instant const last = TRY(reference.catch_instant());
        u64 const window = last.reference - first.reference;
        if (window < shortest || window == 0) {
            continue;
        }
        Measurement const result = evaluate(first, last, reference.hz());
        if (result.error_ppm <= limits.error_target_ppm || window >= longest) {
            return result;
        }
    }
}

inline constexpr usize calibration_rounds = 3;

/// The middle of several measurements, with their spread as its error where that is larger than
/// theirs. A timer that stood still in any of them does not count. Pure.
constexpr Measurement combine(Measurement (&rounds)[calibration_rounds]) {
    auto const middle = [](u64 a, u64 b, u64 c) {
        u64 const low = a < b ? a : b;
        u64 const high = a < b ? b : a;
        return c < low ? low : (c > high ? high : c);
    };
    Measurement const &a = rounds[0], &b = rounds[1], &c = rounds[2];
    Measurement result{
        .counter_hz = middle(a.counter_hz, b.counter_hz, c.counter_hz),
        .timer_hz = middle(a.timer_hz, b.timer_hz, c.timer_hz),
        .error_ppm = 0};
    u64 least = a.counter_hz, most = a.counter_hz;
    for (Measurement const& round : rounds) {
        least = round.counter_hz < least ? round.counter_hz : least;
        most = round.counter_hz > most ? round.counter_hz : most;
        result.error_ppm = round.error_ppm > result.error_ppm ? round.error_ppm : result.error_ppm;
        result.timer_hz = round.timer_hz == 0 ? 0 : result.timer_hz;
    }
    u32 const spread = parts_per_million(most - least, result.counter_hz);
    result.error_ppm = spread > result.error_ppm ? spread : result.error_ppm;
    return result;
}

/// Measures calibration_rounds times. Errors: not_supported.
template<Reference R>
Result<Measurement> calibrate(R& reference, CalibrationLimits const& limits) {
    Measurement rounds[calibration_rounds];
    for (Measurement& round : rounds) {
        round = TRY(measure(reference, limits));
    }
    return combine(rounds);
}

} // namespace metal
