// The metal machine: the time-stamp counter, measured against HPET, 8254 or what CPUID says, and
// deadlines by the local APIC's timer, its deadline register or the HPET.
#pragma once

#include "hal/clock_types.hpp"
#include "hal/interrupt_types.hpp"

#include <optional>

namespace hal {

struct Clock {
    /// Where no controller was adopted there is time, but no deadline.
    static Result<void> adopt(ClockPlan const& plan);
    static ClockDescription describe();
    static Nanos now();
    static bool distrust_counter();
    static void arm(Nanos deadline);
    static void disarm();
    static Vector vector();
    static std::optional<Nanos> wall();
};

} // namespace hal
