// Where kernel code meets a simulation that tests it: what may fail on purpose, and how far a
// workload has come. On every real machine these are constants and nothing. The simulator's kernel
// puts a header of the same name before this one.
#pragma once

#include "core/base/probe_types.hpp"

namespace twofold::probe {

/// Whether somebody listens.
inline constexpr bool is_simulated = false;

/// Whether what `point` names is to fail now. In any context.
constexpr bool fails(FaultPoint) {
    return false;
}

/// Tells how far a workload has come. In any context.
constexpr void note(Note, u64) {}

} // namespace twofold::probe
