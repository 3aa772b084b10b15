// The metal machine: RDSEED, RDRAND, or what the time-stamp counter's jitter gives where there is
// none.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace hal {

struct Entropy {
    static void fill(std::span<std::byte> bytes);
};

} // namespace hal
