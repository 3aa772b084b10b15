// Pieces of ACPI's byte code that objects are made of which the kernel looks for; nothing runs.
// Source: ACPI 6.5, section 20.2.
#pragma once

#include "core/acpi/tables.hpp"

namespace twofold::acpi::byte_code {

inline constexpr u8 zero_op = 0x00;
inline constexpr u8 one_op = 0x01;
inline constexpr u8 name_op = 0x08;
inline constexpr u8 byte_prefix = 0x0a;
inline constexpr u8 word_prefix = 0x0b;
inline constexpr u8 double_word_prefix = 0x0c;
inline constexpr u8 string_prefix = 0x0d;
inline constexpr u8 buffer_op = 0x11;
inline constexpr u8 package_op = 0x12;

/// A package's length: its first byte says in the upper two bits how many follow. Its value is not
/// needed, since the elements say themselves where they end.
inline Result<void> skip_package_length(ByteReader& code) {
    return code.skip(TRY(code.read<u8>()) >> 6);
}

/// A constant. Error::corrupted where there is none.
inline Result<u64> read_integer(ByteReader& code) {
    switch (TRY(code.read<u8>())) {
    case zero_op:
        return u64{0};
    case one_op:
        return u64{1};
    case byte_prefix:
        return u64{TRY(code.read<u8>())};
    case word_prefix:
        return u64{TRY(code.read<u16>())};
    case double_word_prefix:
        return u64{TRY(code.read<u32>())};
    default:
        return Error::corrupted;
    }
}

} // namespace twofold::acpi::byte_code
