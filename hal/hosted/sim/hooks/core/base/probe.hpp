// The simulator listens. See hal/hosted/sim/guest/points.cpp.
#pragma once

#include "core/base/probe_types.hpp"

namespace hosted {

using namespace twofold;

/// Counts that `point` was reached, and asks the engine where it is armed. Kernel code only.
bool sim_fails(FaultPoint point);
void sim_note(probe::Note what, u64 value);

} // namespace hosted

namespace twofold::probe {

inline constexpr bool is_simulated = true;

inline bool fails(FaultPoint point) {
    return hosted::sim_fails(point);
}

inline void note(Note what, u64 value) {
    hosted::sim_note(what, value);
}

} // namespace twofold::probe
