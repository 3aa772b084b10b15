// Whether this processor takes interrupts. Used by guards only, never directly (see core/sync).
// Where interrupts come from: hal/controller.hpp.
#pragma once

#include "hal/interrupt_types.hpp"

#include <concepts>

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
    /// A safe point inside a long computation: where interrupts are enabled, delivers what is
    /// pending and has not interrupted by itself. A load and a branch at most.
    { I::poll() } -> std::same_as<void>;
};
static_assert(InterruptContract<Interrupt>, "the machine's Interrupt does not keep the contract");

} // namespace hal
