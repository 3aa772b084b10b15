// Time: one monotonic clock for all processors, and one deadline for each. There is no periodic
// tick. The queue of many deadlines is the kernel's (core/processor).
#pragma once

#include "hal/clock_types.hpp"
#include "hal/interrupt_types.hpp"

#include <concepts>
#include <optional>

#include <machine/clock.hpp>

namespace hal {

/// Unless said otherwise: any context, O(1).
template<class C>
concept ClockContract = requires(ClockPlan const& plan, Nanos deadline) {
    /// Measures the clocks. Once, on the boot processor, after Controller::adopt and before other
    /// processors run; takes some milliseconds. Errors: not_supported (nothing to measure with).
    { C::adopt(plan) } -> std::same_as<Result<void>>;
    { C::describe() } -> std::same_as<ClockDescription>;
    /// Time since some moment before the kernel was entered. Never goes backwards on one processor,
    /// nor between processors whose counters are in step. 0 before `adopt`.
    { C::now() } -> std::same_as<Nanos>;
    /// This processor's counters were found out of step with the others': from now on `now` reads
    /// one that is common to all, whatever it costs. False if there is none.
    { C::distrust_counter() } -> std::same_as<bool>;
    /// Raises `vector()` on this processor once, when `now` has reached `deadline`: not before, and
    /// at once where that is past. Replaces the deadline that was armed. Interrupts disabled.
    { C::arm(deadline) } -> std::same_as<void>;
    /// Withdraws the deadline; the interrupt may be pending already. Interrupts disabled.
    { C::disarm() } -> std::same_as<void>;
    /// The vector of deadlines, one of Controller::vectors() that the kernel does not give out.
    { C::vector() } -> std::same_as<Vector>;
    /// Nanoseconds since 1970-01-01 00:00 UTC as the machine's wall clock has it, to its own
    /// resolution; nothing where there is none. May take a second where a clock has to be awaited.
    { C::wall() } -> std::same_as<std::optional<Nanos>>;
};
static_assert(ClockContract<Clock>, "the machine's Clock does not keep the contract");

} // namespace hal
