// Where a stack lies.
#pragma once

#include "core/base/base.hpp"

namespace hosted {

using namespace twofold;

struct StackBounds {
    u64 base = 0; ///< lowest byte
    u64 size = 0;

    bool contains(u64 address) const { return address - base < size; }
};

} // namespace hosted
