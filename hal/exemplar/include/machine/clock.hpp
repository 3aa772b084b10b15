// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/clock_types.hpp"
#include "hal/interrupt_types.hpp"

#include <optional>

namespace hal {

struct Clock {
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
