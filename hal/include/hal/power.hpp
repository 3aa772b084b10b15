// The end of a run.
#pragma once

#include "core/base/base.hpp"

#include <concepts>

#include <machine/power.hpp>

namespace hal {

using namespace twofold;

template<class P>
concept PowerContract = requires(u8 status) {
    /// Ends the run with `status` (0: success). Never returns. Any context.
    { P::exit(status) } -> std::same_as<void>;
    /// Starts the machine anew. Never returns. Any context.
    { P::reset() } -> std::same_as<void>;
};
static_assert(PowerContract<Power>, "the machine's Power does not keep the contract");

} // namespace hal
