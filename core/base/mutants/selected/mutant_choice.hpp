// The choice of the preset `debug`: the machine names one operation at start (`--mutant NAME`).
#pragma once

#include "core/base/mutant.hpp"

namespace twofold {

/// The operation that this run flips. Defined by the machine's composition root.
Mutant selected_mutant();

/// Whether `which` is flipped in this run. Constant evaluation never flips.
constexpr bool mutant(Mutant which) {
    if consteval {
        return false;
    } else {
        return selected_mutant() == which;
    }
}

} // namespace twofold
