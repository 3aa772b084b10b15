// Quantities as people write and read them: "1.5 MiB", "12.3 us", "40.0%". Integers only: a
// fraction is a number of tenths or, in what is read, of millionths. Pure; any context.
#pragma once

#include "core/base/base.hpp"

namespace twofold::shell {

/// What the values of a column are.
enum class Kind : u8 {
    text,
    number,
    bytes,
    duration, ///< nanoseconds
    address,
    percent, ///< hundredths of a percent
};

inline constexpr usize quantity_bytes_max = 24;

/// A value for people, in a buffer of at least quantity_bytes_max: bytes and durations in the
/// largest unit of which they are one, rounded to a tenth. Not for Kind::text. O(1).
std::string_view format_quantity(Kind kind, u64 value, std::span<char> buffer);

/// A value as it is written: 42 or 0x2A; of bytes also 4K, 1.5MiB (powers of 1024); of a duration
/// 10us, 1.5s (ns, us, ms, s, min, h; alone: nanoseconds); of a percentage 12.5 or 12.5%. Errors:
/// invalid_argument (other text, or Kind::text), out_of_range (above 2^64 - 1). O(text).
Result<u64> parse_quantity(Kind kind, std::string_view text);

} // namespace twofold::shell
