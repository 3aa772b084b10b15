// The option --mutant, where the build has operations that can be flipped (core/base/mutant.hpp);
// the build chooses between mutants/none and mutants/selected.
#pragma once

#include "apps/arguments/arguments.hpp"

namespace twofold::host {

/// Adds the option, or nothing.
void add_mutant_option(Arguments& arguments);

} // namespace twofold::host
