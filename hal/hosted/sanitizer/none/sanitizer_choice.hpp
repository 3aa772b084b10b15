// What the machine tells AddressSanitizer: nothing, in a build without it. The build chooses
// between this file and its twin in address/ by include path.
#pragma once

#include "hal/hosted/guest/stack_bounds.hpp"

namespace hosted::sanitizer {

/// About to continue on the stack `to`. `state` keeps what belongs to the stack that is left.
inline void start_switch(void**, StackBounds) {}

/// First thing on the stack that was switched to, with what `start_switch` kept for it. Returns the
/// bounds of the stack that was left.
inline StackBounds finish_switch(void*) {
    return {};
}

/// Declares [address, address + size) accessible. Any context.
inline void unpoison(u64, u64) {}

/// Has `callback` called before a sanitizer ends the process.
inline void on_death(void (*)()) {}

/// Whether a signal that another thread or a timer sends is handled by `take_signals` alone.
inline constexpr bool holds_signals_back = false;
/// Handles the signals that have come to the caller's stack since the last call.
inline void take_signals() {}

} // namespace hosted::sanitizer
