// What an allocator tells AddressSanitizer: which bytes nobody may touch. Where the compiler does
// not build for it, nothing is left of the calls.
#pragma once

#include "core/base/integers.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define TWOFOLD_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TWOFOLD_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef TWOFOLD_ADDRESS_SANITIZER
extern "C" {
// The sanitizer's own interface, spelled as in <sanitizer/asan_interface.h>, which is no
// freestanding header.
void __asan_poison_memory_region(void const volatile* address, unsigned long size);
void __asan_unpoison_memory_region(void const volatile* address, unsigned long size);
int __asan_address_is_poisoned(void const volatile* address);
}
#endif

namespace twofold {

#ifdef TWOFOLD_ADDRESS_SANITIZER
inline constexpr bool address_sanitizer_enabled = true;

/// From now on an instrumented access to one of the `size` bytes at `start` is reported. A group of
/// eight bytes that ends inside the range keeps what lies behind it accessible. Any context;
/// O(size / 8).
inline void poison(void const* start, u64 size) {
    __asan_poison_memory_region(start, size);
}
/// Takes that back. Any context; O(size / 8).
inline void unpoison(void const* start, u64 size) {
    __asan_unpoison_memory_region(start, size);
}
/// Whether an access to this byte would be reported. Any context; O(1).
inline bool is_poisoned(void const* byte) {
    return __asan_address_is_poisoned(byte) != 0;
}
#else
inline constexpr bool address_sanitizer_enabled = false;

inline void poison(void const*, u64) {}
inline void unpoison(void const*, u64) {}
inline bool is_poisoned(void const*) {
    return false;
}
#endif

} // namespace twofold
