// The option --mutant, where the build has operations that can be flipped (core/base/mutant.hpp);
// the build chooses between mutants/none and mutants/selected.
#pragma once

namespace CLI {
class App;
}

namespace twofold::host {

/// Adds the option to `app`, or nothing.
void add_mutant_option(CLI::App& app);

} // namespace twofold::host
