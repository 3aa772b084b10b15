// See sleep.hpp. The byte code's encodings: ACPI 6.5, section 20.2.
#include "core/acpi/sleep.hpp"

namespace twofold::acpi {

namespace {

constexpr u8 name_op = 0x08;
constexpr u8 package_op = 0x12;
constexpr u8 zero_op = 0x00;
constexpr u8 one_op = 0x01;
constexpr u8 byte_prefix = 0x0a;
constexpr u8 word_prefix = 0x0b;
constexpr u8 double_word_prefix = 0x0c;
constexpr u8 root_prefix = '\\';
constexpr u8 sleep_type_max = 7;           // three bits
constexpr u32 soft_off_name = 0x5f35'535f; // "_S5_", little-endian

/// A package's length: its first byte says in the upper two bits how many follow. Its value is not
/// needed, since the elements say themselves where they end.
Result<void> skip_package_length(ByteReader& code) {
    return code.skip(TRY(code.read<u8>()) >> 6);
}

Result<u64> read_integer(ByteReader& code) {
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

Result<SleepTypes> read_package(ByteReader code) {
    if (TRY(code.read<u8>()) != package_op) {
        return Error::corrupted;
    }
    TRY(skip_package_length(code));
    u8 const elements = TRY(code.read<u8>());
    if (elements == 0) {
        return Error::corrupted;
    }
    u64 const first = TRY(read_integer(code));
    // Firmware that leaves the second out means the same for both.
    u64 const second = elements > 1 ? TRY(read_integer(code)) : first;
    if (first > sleep_type_max || second > sleep_type_max) {
        return Error::corrupted;
    }
    return SleepTypes{static_cast<u8>(first), static_cast<u8>(second)};
}

} // namespace

Result<SleepTypes> find_soft_off(TableBytes dsdt) {
    if (dsdt.size() < table_header_size) {
        return Error::corrupted;
    }
    ByteReader code(dsdt.subspan(table_header_size));
    while (code.remaining() > 0) { // bounded: each turn takes a byte
        if (TRY(code.read<u8>()) != name_op) {
            continue;
        }
        ByteReader object = code;
        Result<u8> const next = object.peek_at<u8>(object.position());
        if (next && next.value() == root_prefix) {
            TRY(object.skip(1));
        }
        Result<u32> const name = object.read<u32>();
        if (name && name.value() == soft_off_name) {
            Result<SleepTypes> const types = read_package(object);
            return types ? types : Error::corrupted;
        }
    }
    return Error::not_found;
}

} // namespace twofold::acpi
