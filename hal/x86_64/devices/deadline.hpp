// What the sources of deadlines are programmed with. Pure.
//
// Invariant: whatever is programmed fires before the deadline where that lies beyond the source's
// range, else within one part in ten million of it, and a tick. Whoever is interrupted compares
// with the clock and programs the rest (kernel/deadlines.cpp).
//
// Source: SDM volume 3A, sections 11.5.4 (timer) and 11.5.4.1 (TSC deadline).
#pragma once

#include "hal/x86_64/devices/local_apic.hpp"
#include "hal/x86_64/devices/time_scale.hpp"

namespace metal {

/// What fires a deadline.
enum class DeadlineKind : u8 { none, local_timer, deadline_register, hpet };

/// The local timer's entry in the local vector table. O(1).
constexpr u32 timer_entry(DeadlineKind kind, hal::Vector vector) {
    switch (kind) {
    case DeadlineKind::local_timer:
        return vector.value;
    case DeadlineKind::deadline_register:
        return vector.value | local_bit::timer_deadline;
    case DeadlineKind::hpet:
    case DeadlineKind::none:
        break;
    }
    return vector.value | local_bit::masked;
}

/// Ticks of a counter until `left` is over, at least 1 (0 would stop the source), at most `most`.
/// O(1).
constexpr u64 ticks_until(TimeScale const& scale, Nanos left, u64 most) {
    u64 const ticks = scale.ticks(left);
    return ticks < most ? ticks + 1 : most;
}

/// What the deadline register is set to when the time-stamp counter shows `counter`. O(1).
constexpr u64 deadline_value(TimeScale const& scale, u64 counter, Nanos left) {
    return counter + ticks_until(scale, left, ~u64{0} - counter);
}

} // namespace metal
