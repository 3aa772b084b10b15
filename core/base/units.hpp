// Strong types for addresses, sizes and numbers of things, so that a physical address is never
// taken for a virtual one and bytes never for pages. All are one machine word; all operations are
// O(1).
#pragma once

#include "core/base/check.hpp"
#include "core/base/integers.hpp"

#include <compare>

namespace twofold {

/// A number of bytes.
struct Bytes {
    u64 value = 0;

    constexpr auto operator<=>(Bytes const&) const = default;
    constexpr Bytes operator+(Bytes other) const { return {value + other.value}; }
    constexpr Bytes operator-(Bytes other) const {
        CHECK(value >= other.value);
        return {value - other.value};
    }
    constexpr Bytes operator*(u64 count) const { return {value * count}; }
    constexpr u64 operator/(Bytes other) const {
        CHECK(other.value != 0);
        return value / other.value;
    }
    constexpr Bytes& operator+=(Bytes other) { return *this = *this + other; }
};

namespace detail {

/// An address in the space that Tag names. Differences are Bytes.
template<class Tag>
struct Address {
    u64 value = 0;

    constexpr auto operator<=>(Address const&) const = default;
    constexpr Address operator+(Bytes offset) const { return {value + offset.value}; }
    constexpr Address operator-(Bytes offset) const { return {value - offset.value}; }
    constexpr Bytes operator-(Address other) const {
        CHECK(value >= other.value);
        return {value - other.value};
    }
    constexpr Address& operator+=(Bytes offset) { return *this = *this + offset; }
};

struct PhysicalSpace;
struct VirtualSpace;

} // namespace detail

/// A physical address.
using PhysAddr = detail::Address<detail::PhysicalSpace>;
/// A virtual address in the space that is active, unless a root is named beside it.
using VirtAddr = detail::Address<detail::VirtualSpace>;

/// The number of a processor, dense from 0 (the boot processor).
struct CpuId {
    u32 value = 0;
    constexpr auto operator<=>(CpuId const&) const = default;
};

/// A duration in nanoseconds.
struct Nanos {
    i64 value = 0;
    constexpr auto operator<=>(Nanos const&) const = default;
    constexpr Nanos operator+(Nanos other) const { return {value + other.value}; }
    constexpr Nanos operator-(Nanos other) const { return {value - other.value}; }
};

inline constexpr Bytes page_size{4096};

namespace literals {

constexpr Bytes operator""_B(unsigned long long count) {
    return {count};
}
constexpr Bytes operator""_KiB(unsigned long long count) {
    return {count << 10};
}
constexpr Bytes operator""_MiB(unsigned long long count) {
    return {count << 20};
}
constexpr Bytes operator""_GiB(unsigned long long count) {
    return {count << 30};
}

} // namespace literals

} // namespace twofold
