// The choice of the preset `debug`: the machine names one operation at start (`--mutant NAME`).
#pragma once

#include "core/base/mutant.hpp"

namespace twofold {

/// The operation that this run flips, and its choice before any kernel starts. Defined by the
/// hosted program.
Mutant selected_mutant();
void select_mutant(Mutant which);

/// Whether `which` is flipped in this run. Constant evaluation never flips, and the initializer of
/// a const integer counts as such: ask in a condition.
constexpr bool mutant(Mutant which) {
    if consteval {
        return false;
    } else {
        return selected_mutant() == which;
    }
}

} // namespace twofold
