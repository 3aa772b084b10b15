// Long runs against the model for host tests: compiled as kernel code, with its optimisation.
#pragma once

#include "core/base/base.hpp"

namespace twofold::memory {

/// Runs `operations` random ones on a BuddyFrames over 16 MiB at `base` and on the model, then
/// gives everything back. Returns how many agreed; all of them if the end is sound, too.
u64 run_model(PhysAddr base, u64 seed, u64 operations);

} // namespace twofold::memory
