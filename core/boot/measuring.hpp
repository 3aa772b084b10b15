// What the commands share that measure.
#pragma once

#include "core/boot/command.hpp"
#include "core/boot/kernel.hpp"
#include "hal/clock.hpp"

#include <optional>

namespace twofold::boot {

inline constexpr Column operation_columns[] = {
    {"operation", 28}, {"rounds", 10}, {"mean ps", 12}, {"p50 ns", 10}, {"max ns", 0}};

/// The number that a command was given, between 1 and `most`; `otherwise` where it was given none,
/// nothing (which was said) where it is not such a number.
inline std::optional<u32>
number_argument(CommandContext& context, std::string_view name, u32 otherwise, u32 most) {
    if (context.arguments.empty()) {
        return otherwise;
    }
    auto const number = parse_unsigned(context.arguments[0]);
    if (!number || number.value() < 1 || number.value() > most) {
        context.out.line("{}: '{}' is not a number from 1 to {}", name, context.arguments[0], most);
        return std::nullopt;
    }
    return static_cast<u32>(number.value());
}

/// Whether the machine has what a measurement needs; says so if not.
inline bool has_interrupts(CommandContext& context, std::string_view name) {
    bool const has = context.kernel.interrupts.is_open() && context.kernel.has_clock;
    if (!has) {
        context.out.line("{}: the machine has no interrupts or no clock; 'log' says why", name);
    }
    return has;
}

/// What `rounds` of `operation` take together, in nanoseconds.
template<class Operation>
u64 time_of(u32 rounds, Operation const& operation) {
    Nanos const began = hal::Clock::now();
    for (u32 round = 0; round < rounds; ++round) {
        operation();
    }
    return static_cast<u64>((hal::Clock::now() - began).value);
}

} // namespace twofold::boot
