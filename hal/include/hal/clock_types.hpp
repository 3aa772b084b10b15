// The values that the contract of hal/clock.hpp speaks of.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace hal {

using namespace twofold;

/// What firmware says of the machine's clocks.
struct ClockPlan {
    VirtAddr hpet; ///< its registers, mapped uncached; 0: there is none
    u32 hpet_minimum_tick = 0;
    bool has_legacy_timer = true; ///< the 8254 and its speaker gate may be used
    bool has_wall_clock = true;   ///< the CMOS clock may be read
    u8 century_register = 0;      ///< of the CMOS clock; 0: none
};

/// Where time comes from, for people and for reports. Frequencies in Hz, 0 where unknown.
struct ClockDescription {
    std::string_view counter; ///< what `now` reads: "TSC", "HPET", "host TSC"
    u64 counter_hz = 0;
    std::string_view reference; ///< what that was measured against: "HPET", "PIT", "CPUID", "host"
    u32 error_ppm = 0;          ///< the spread of the measurements
    std::string_view event;     ///< what fires a deadline: "local APIC timer", "TSC deadline", ...
    u64 event_hz = 0;
    bool counter_is_invariant = false; ///< does not change with power states
};

} // namespace hal
