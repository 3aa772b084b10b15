// The operation that this process flips, for all kernels and tools in it. See core/base/mutant.hpp.
#include "core/base/base.hpp"

namespace twofold {

namespace {

Mutant chosen = Mutant::none;

} // namespace

void select_mutant(Mutant which) {
    chosen = which;
}

Mutant selected_mutant() {
    return chosen;
}

} // namespace twofold
