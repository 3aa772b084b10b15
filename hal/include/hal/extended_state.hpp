// The extended registers (vectors and floating point) of threads that own them. The kernel itself
// uses none, so they are saved where one thread is left for another, and nowhere else.
//
// Who owns registers declares it when the thread is made, so nothing has to be found out by a
// fault: they are saved when their owner is left and restored when it goes on (docs/scheduling.md
// has the figures of both ways, and the reason). A thread is left either by the end of an
// interrupt, where all registers hold something, or by a call of its own, where by the calling
// convention all are dead but the control words.
#pragma once

#include "core/base/base.hpp"

#include <concepts>
#include <span>

#include <machine/extended_state.hpp>

namespace hal {

using namespace twofold;

/// Operations on the registers of the running processor, with interrupts disabled. `area` is where
/// one thread's are kept: at least area_bytes() at a multiple of area_alignment, of any processor.
template<class E>
concept ExtendedStateContract = requires(std::span<std::byte> area) {
    { E::area_alignment } -> std::convertible_to<usize>;
    /// How large an area is. O(1).
    { E::area_bytes() } -> std::same_as<Bytes>;
    /// Makes `area` what a thread begins with: all registers zero, rounding to nearest, subnormal
    /// numbers as they are, no exception raised. Any context. O(area).
    { E::prepare(area) } -> std::same_as<void>;
    /// Lets the running code use the registers, which become what `area` says. After the switch to
    /// its context, not before: a switch is a call, which keeps none. O(area).
    { E::restore(area) } -> std::same_as<void>;
    /// Saves all registers: their owner is left by the end of an interrupt. O(area).
    { E::save(area) } -> std::same_as<void>;
    /// Saves the control words alone: their owner is left by a call. The next `restore` leaves the
    /// other registers as it finds them. O(1).
    { E::save_control(area) } -> std::same_as<void>;
    /// Their owner has been left, for somebody who owns none. Where the machine can tell, an
    /// instruction that uses one faults from here on. O(1).
    { E::forbid() } -> std::same_as<void>;
};
static_assert(
    ExtendedStateContract<ExtendedState>, "the machine's ExtendedState does not keep the contract");

} // namespace hal
