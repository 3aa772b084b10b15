// The operation that this process flips (core/base/mutant.hpp), for all kernels and tools in it.
#pragma once

#include "core/base/mutant.hpp"

namespace twofold {

/// Chooses; before any kernel starts.
void select_mutant(Mutant which);

} // namespace twofold
