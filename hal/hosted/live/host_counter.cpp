// See host_counter.hpp.
#include "hal/hosted/live/host_counter.hpp"

#include <isa/cpuid.hpp>

#include <ctime>

namespace hosted {

namespace {

constexpr u64 measured_ns = 4'000'000;
constexpr u32 tries = 16;

/// A moment by both clocks; the counter was read within half of `window_cycles`.
struct Moment {
    u64 cycles = 0;
    u64 ns = 0;
    u64 window_cycles = ~u64{0};
};

/// The best of some readings: one that nothing came in between.
Moment take_moment() {
    Moment best;
    for (u32 i = 0; i < tries; ++i) {
        u64 const before = read_counter();
        u64 const ns = host_monotonic_ns();
        u64 const after = read_counter();
        if (after - before < best.window_cycles) {
            best = {before + (after - before) / 2, ns, after - before};
        }
    }
    return best;
}

CounterMeasurement measure() {
    Moment const first = take_moment();
    while (host_monotonic_ns() < first.ns + measured_ns) {
        asm volatile("pause");
    }
    Moment const last = take_moment();
    u64 const cycles = last.cycles - first.cycles;
    u64 const ns = last.ns - first.ns;
    constexpr u32 invariant_bit = u32{1} << 8;
    constexpr u32 leaf = 0x8000'0007;
    bool const has_leaf = isa::cpuid(0x8000'0000, 0).eax >= leaf;
    auto const wide = [](u64 value) { return static_cast<unsigned __int128>(value); };
    return {
        .hz = static_cast<u64>(wide(cycles) * 1'000'000'000 / ns),
        .multiplier = static_cast<u64>((wide(ns) << 32) / cycles),
        .error_ppm =
            static_cast<u32>((first.window_cycles + last.window_cycles) * 500'000 / cycles + 1),
        .is_invariant = has_leaf && (isa::cpuid(leaf, 0).edx & invariant_bit) != 0};
}

} // namespace

CounterMeasurement const& measure_counter() {
    static CounterMeasurement const measurement = measure();
    return measurement;
}

u64 host_monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

} // namespace hosted
