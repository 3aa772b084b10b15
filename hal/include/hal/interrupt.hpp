// Whether this processor takes interrupts. Used by guards only, never directly (see core/sync).
#pragma once

#include "core/base/base.hpp"

#include <concepts>

namespace hal {

using namespace twofold;

/// The interrupt flag as it was before a `disable`.
enum class InterruptState : u8 { disabled, enabled };

} // namespace hal

#include <machine/interrupt.hpp>

namespace hal {

template<class I>
concept InterruptContract = requires(InterruptState state) {
    /// Stops delivery on this processor and returns what was before. Nests. No system call. O(1).
    { I::disable() } -> std::same_as<InterruptState>;
    /// Restores what `disable` returned; delivers what is pending when that enables. O(1).
    { I::restore(state) } -> std::same_as<void>;
    /// The present state.
    { I::state() } -> std::same_as<InterruptState>;
};
static_assert(InterruptContract<Interrupt>, "the machine's Interrupt does not keep the contract");

} // namespace hal
