// The host's time-stamp counter, and what a cycle of it is worth.
//
// Source: Intel SDM volume 3B, section 18.17.
#pragma once

#include "hal/hosted/cpu_block.hpp"

namespace hosted {

/// Reads the counter after all earlier loads: who has seen another's message sees a later time.
/// O(1).
inline u64 read_counter() {
    u32 low;
    u32 high;
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return u64{high} << 32 | low;
}

/// The counter as measured against the host's monotonic clock.
struct CounterMeasurement {
    u64 hz = 0;
    u64 multiplier = 0; ///< of CounterScale
    u32 error_ppm = 0;
    bool is_invariant = false;
};

/// Measures it, once for the process: some milliseconds. Not for kernel code.
CounterMeasurement const& measure_counter();

/// The host's monotonic clock. Signal-safe. O(1).
u64 host_monotonic_ns();

} // namespace hosted
