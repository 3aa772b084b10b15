// Random bytes. On sim they follow from the seed.
#pragma once

#include "core/base/base.hpp"

#include <concepts>
#include <span>

#include <machine/entropy.hpp>

namespace hal {

using namespace twofold;

template<class E>
concept EntropyContract = requires(std::span<std::byte> bytes) {
    /// Fills `bytes` with random bytes. Any context. O(n).
    { E::fill(bytes) } -> std::same_as<void>;
};
static_assert(EntropyContract<Entropy>, "the machine's Entropy does not keep the contract");

} // namespace hal
