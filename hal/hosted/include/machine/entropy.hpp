// The hosted machine's entropy: what the machine's configuration draws from, by default the host's.
#pragma once

#include <cstddef>
#include <span>

namespace hal {

struct Entropy {
    static void fill(std::span<std::byte> bytes);
};

} // namespace hal
