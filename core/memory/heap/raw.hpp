// The one place where the heap turns addresses into pointers. Everything above it works with
// granule and page numbers and with spans.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>

namespace twofold::memory::heap {

/// The address of `pointer` as a number.
inline u64 address_of(void const* pointer) {
    return reinterpret_cast<u64>(pointer);
}

/// The byte `offset` behind `base`; both lie in one reserved range.
[[gnu::returns_nonnull]] inline std::byte* byte_at(std::byte* base, u64 offset) {
    return base + offset;
}

/// `count` objects of T that begin `offset` behind `base`. The memory is committed before an
/// element is touched, zero-filled, and T is an implicit-lifetime type (or an Atomic of an integer)
/// for which all zeros is a value.
template<class T>
[[gnu::always_inline]] inline std::span<T> table_at(std::byte* base, u64 offset, u64 count) {
    return {reinterpret_cast<T*>(base + offset), count};
}

/// The object of T that lies `offset` behind `base`, as above.
template<class T>
[[gnu::always_inline]] inline T& object_at(std::byte* base, u64 offset) {
    return table_at<T>(base, offset, 1)[0];
}

} // namespace twofold::memory::heap
