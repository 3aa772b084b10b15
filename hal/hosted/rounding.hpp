// Rounding on the machine's side. Not align_up of the kernel's room base: a seeded bug of that is
// to be the kernel's alone, whose machine stands before it is said which bug the kernel has.
#pragma once

#include "core/base/base.hpp"

namespace hosted {

using namespace twofold;

/// The smallest multiple of `unit` that is at least `value`.
constexpr u64 round_up(u64 value, u64 unit) {
    return (value + unit - 1) / unit * unit;
}

} // namespace hosted
