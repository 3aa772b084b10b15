// Bytes for the interfaces of C that want characters. char may alias every object, and a pointer to
// void converts to it without a cast of its own kind.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>

namespace twofold::allocation {

inline char const* characters(std::span<std::byte const> bytes) {
    return static_cast<char const*>(static_cast<void const*>(bytes.data()));
}
inline char* characters(std::span<std::byte> bytes) {
    return static_cast<char*>(static_cast<void*>(bytes.data()));
}

/// Stores a little-endian number at the start of `bytes`. O(1).
template<std::unsigned_integral T>
constexpr void store_number(std::span<std::byte> bytes, T number) {
    CHECK(bytes.size() >= sizeof(T));
    for (usize i = 0; i < sizeof(T); ++i) {
        bytes[i] = static_cast<std::byte>(number >> 8 * i);
    }
}

} // namespace twofold::allocation
