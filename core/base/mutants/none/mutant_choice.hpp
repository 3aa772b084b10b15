// The choice of every shipped build: no operation is flipped.
#pragma once

#include "core/base/mutant.hpp"

namespace twofold {

/// Whether `which` is flipped in this run: never.
constexpr bool mutant(Mutant) {
    return false;
}

} // namespace twofold
