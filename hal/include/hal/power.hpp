// The end of a run.
#pragma once

#include "hal/power_types.hpp"

#include <concepts>

#include <machine/power.hpp>

namespace hal {

template<class P>
concept PowerContract = requires(u8 status, PowerPlan const& plan) {
    /// Tells the machine what its firmware's tables say. Once, before other processors run; a
    /// machine with a door of its own may do without. O(1).
    { P::adopt(plan) } -> std::same_as<void>;
    /// Ends the run with `status` (0: success). Never returns. Any context.
    { P::exit(status) } -> std::same_as<void>;
    /// Starts the machine anew. Never returns. Any context.
    { P::reset() } -> std::same_as<void>;
};
static_assert(PowerContract<Power>, "the machine's Power does not keep the contract");

} // namespace hal
