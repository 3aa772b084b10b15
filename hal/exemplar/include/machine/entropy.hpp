// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include <cstddef>
#include <span>

namespace hal {

struct Entropy {
    static void fill(std::span<std::byte> bytes);
};

} // namespace hal
