// See mutant_selection.hpp; selected_mutant is declared by core/base/mutants/selected.
#include "apps/host/mutants/selected/mutant_selection.hpp"

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
