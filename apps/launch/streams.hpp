// The standard streams that a program was started with.
#pragma once

#include "apps/launch/options.hpp"

namespace twofold::launch {

/// Standard streams that are closed would give their numbers to other files: puts /dev/null in
/// their place. Throws Failure where the run needs one of them: output always (74), input without
/// commands (64).
void check_streams(RunOptions const& run);

} // namespace twofold::launch
