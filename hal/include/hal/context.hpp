// Switching between stacks: callee-saved registers only, no scheduler, no floating point.
#pragma once

#include "core/base/base.hpp"

#include <concepts>
#include <span>

#include <machine/context.hpp>

namespace hal {

using namespace twofold;

template<class C>
concept ContextContract =
    requires(C& from, C& to, std::span<std::byte> stack, void (*entry)(void*), void* argument) {
        /// Prepares `to` so that the first switch to it calls entry(argument) on `stack` (16-byte
        /// aligned, at least 4 KiB). `entry` must never return.
        { to.create(stack, entry, argument) } -> std::same_as<void>;
        /// Saves the caller in `from` and continues `to`. Returns when somebody switches back. A
        /// context is continued at most once for each time it was saved. O(1), no system call.
        { C::switch_between(from, to) } -> std::same_as<void>;
    };
static_assert(ContextContract<Context>, "the machine's Context does not keep the contract");

} // namespace hal
