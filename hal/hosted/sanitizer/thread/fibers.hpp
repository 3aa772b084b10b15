// The fibers of kernel stacks, for ThreadSanitizer.
#pragma once

#include "core/base/integers.hpp"

namespace hosted::sanitizer {

using namespace twofold;

/// The fiber of the stack whose lowest byte is `base`; made when first asked for. Any thread.
void* fiber_of(u64 base);

/// Notes which fiber this thread is about to leave, and tells it once it is on another.
void leave_fiber(void* fiber);
void* left_fiber();

/// Calls the handlers of the signals that the sanitizer holds back for the running fiber.
void handle_held_signals();

} // namespace hosted::sanitizer
