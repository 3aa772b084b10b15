// The early console, and the result channel beside it. Bytes only; line discipline is the kernel's.
#pragma once

#include "core/base/base.hpp"
#include "hal/interrupt_types.hpp"

#include <concepts>
#include <span>
#include <string_view>

namespace hal {

using namespace twofold;

enum class InputStatus : u8 { byte, none, end };

/// One poll of the console's input. `end`: the other side has closed, no byte will ever follow.
struct ConsoleInput {
    InputStatus status;
    char byte;
};

} // namespace hal

#include <machine/console.hpp>

namespace hal {

template<class C>
concept ConsoleContract =
    requires(std::string_view text, std::span<std::byte const> record, Vector vector) {
        /// Writes all of `text`, waiting for the device where needed. Any context. O(n).
        { C::write(text) } -> std::same_as<void>;
        /// Takes one byte of input if there is one; never waits. O(1).
        { C::read() } -> std::same_as<ConsoleInput>;
        /// From now on `vector`, one that may be given out, is raised on the boot processor when
        /// there may be input that no read has seen; and once at once. Errors: not_supported (the
        /// console can only be polled). Context thread; O(1).
        { C::raise_on_input(vector) } -> std::same_as<Result<void>>;
        /// Input raises nothing any more; what was raised may still come. Context thread; O(1).
        { C::raise_nothing() } -> std::same_as<void>;
        /// Writes a record to the result channel, apart from what a person reads; whole in one
        /// call, for several processors may write. Any context. O(n).
        { C::write_result(record) } -> std::same_as<void>;
    };
static_assert(ConsoleContract<Console>, "the machine's Console does not keep the contract");

} // namespace hal
