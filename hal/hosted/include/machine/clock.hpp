// The hosted machine's time: the host's counter, scaled as the machine has measured it against the
// host's monotonic clock; deadlines by a timer of the host for each processor.
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
