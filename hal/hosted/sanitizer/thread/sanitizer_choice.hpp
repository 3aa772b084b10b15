// What the machine tells ThreadSanitizer, which follows every stack as a fiber of its own. See the
// twin in none/ for what each function promises.
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

inline void on_death(void (*callback)()) {
    __sanitizer_set_death_callback(callback);
}

} // namespace hosted::sanitizer
