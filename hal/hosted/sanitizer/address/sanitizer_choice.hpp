// What the machine tells AddressSanitizer, which keeps the bounds of the running stack and a shadow
// of what may be accessed. See the twin in none/ for what each function promises.
//
// Kernel code is compiled without fake stacks (cmake/machines.cmake), so that every local variable
// lies in simulated memory and a copy of that memory is complete.
#pragma once

#include "hal/hosted/guest/stack_bounds.hpp"

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

namespace hosted::sanitizer {

inline void start_switch(void** state, StackBounds to) {
    __sanitizer_start_switch_fiber(state, reinterpret_cast<void const*>(to.base), to.size);
}

inline StackBounds finish_switch(void* state) {
    void const* base = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(state, &base, &size);
    return {reinterpret_cast<u64>(base), size};
}

inline void unpoison(u64 address, u64 size) {
    __asan_unpoison_memory_region(reinterpret_cast<void const volatile*>(address), size);
}

inline void on_death(void (*callback)()) {
    __sanitizer_set_death_callback(callback);
}

inline constexpr bool holds_signals_back = false;
inline void take_signals() {}

} // namespace hosted::sanitizer
