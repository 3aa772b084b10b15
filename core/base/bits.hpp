// Rounding and bit arithmetic on words and on the strong types of units.hpp. O(1), pure.
#pragma once

#include "core/base/check.hpp"
#include "core/base/mutant.hpp"
#include "core/base/units.hpp"

#include <bit>

namespace twofold {

/// Whether `value` is a power of two; 0 is not.
constexpr bool is_power_of_two(u64 value) {
    // Where the processor is not known to count bits, std::has_single_bit is a call.
    return value != 0 && (value & (value - 1)) == 0;
}

/// The largest multiple of `alignment` (a power of two) that is at most `value`.
constexpr u64 align_down(u64 value, u64 alignment) {
    CHECK(is_power_of_two(alignment));
    return value & ~(alignment - 1);
}

/// The smallest multiple of `alignment` (a power of two) that is at least `value`. Wraps to 0 past
/// the last multiple.
constexpr u64 align_up(u64 value, u64 alignment) {
    CHECK(is_power_of_two(alignment));
    u64 const slack = alignment - (mutant(Mutant::base_align_up) ? 0 : 1);
    return (value + slack) & ~(alignment - 1);
}

/// Whether `value` is a multiple of `alignment` (a power of two).
constexpr bool is_aligned(u64 value, u64 alignment) {
    return align_down(value, alignment) == value;
}

template<class Tag>
constexpr detail::Address<Tag> align_down(detail::Address<Tag> address, Bytes alignment) {
    return {align_down(address.value, alignment.value)};
}
template<class Tag>
constexpr detail::Address<Tag> align_up(detail::Address<Tag> address, Bytes alignment) {
    return {align_up(address.value, alignment.value)};
}
template<class Tag>
constexpr bool is_aligned(detail::Address<Tag> address, Bytes alignment) {
    return is_aligned(address.value, alignment.value);
}
constexpr Bytes align_up(Bytes size, Bytes alignment) {
    return {align_up(size.value, alignment.value)};
}
constexpr Bytes align_down(Bytes size, Bytes alignment) {
    return {align_down(size.value, alignment.value)};
}

/// Whether [a, a + a_size) and [b, b + b_size) share a byte. Empty ranges share none.
constexpr bool ranges_overlap(u64 a, u64 a_size, u64 b, u64 b_size) {
    // Modulo 2^64: a lies in [b, b + b_size) exactly when a - b < b_size, even where the end wraps.
    return a_size != 0 && b_size != 0 && (a - b < b_size || b - a < a_size);
}

} // namespace twofold
