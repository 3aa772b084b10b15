// What the machine tells ThreadSanitizer, which follows every stack as a fiber of its own. See the
// twin in none/ for what each function promises.
//
// It notes a signal that does not come from the interrupted code itself, and calls the handler
// where that stack calls a function of libc that it intercepts: here, in take_signals. So nothing
// is interrupted but at safe points that leave the kernel, spins among them.
//
// A kernel stack is known by where it lies. The machine's own stack has no bounds that the kernel
// knows: of it the fiber itself is handed on, as bounds without a size.
#pragma once

#include "hal/hosted/guest/stack_bounds.hpp"
#include "hal/hosted/sanitizer/thread/fibers.hpp"

#include <sanitizer/common_interface_defs.h>
#include <sanitizer/tsan_interface.h>

namespace hosted::sanitizer {

inline void start_switch(void**, StackBounds to) {
    void* const from = __tsan_get_current_fiber();
    leave_fiber(from);
    void* const fiber = to.size == 0 ? reinterpret_cast<void*>(to.base) : fiber_of(to.base);
    if (fiber != from) {
        __tsan_switch_to_fiber(fiber, 0);
    }
}

inline StackBounds finish_switch(void*) {
    return {reinterpret_cast<u64>(left_fiber()), 0};
}

inline void unpoison(u64, u64) {}

inline void take_signals() {
    handle_held_signals();
}

inline void on_death(void (*callback)()) {
    __sanitizer_set_death_callback(callback);
}

inline constexpr bool holds_signals_back = true;

} // namespace hosted::sanitizer
