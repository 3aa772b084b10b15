// See sleep.hpp.
#include "core/acpi/sleep.hpp"

#include "core/acpi/byte_code.hpp"

namespace twofold::acpi {

namespace {

constexpr u8 root_prefix = '\\';
constexpr u8 sleep_type_max = 7;           // three bits
constexpr u32 soft_off_name = 0x5f35'535f; // "_S5_", little-endian

Result<SleepTypes> read_package(ByteReader code) {
    if (TRY(code.read<u8>()) != byte_code::package_op) {
        return Error::corrupted;
    }
    TRY(byte_code::skip_package_length(code));
    u8 const elements = TRY(code.read<u8>());
    if (elements == 0) {
        return Error::corrupted;
    }
    u64 const first = TRY(byte_code::read_integer(code));
    // Firmware that leaves the second out means the same for both.
    u64 const second = elements > 1 ? TRY(byte_code::read_integer(code)) : first;
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
        if (TRY(code.read<u8>()) != byte_code::name_op) {
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
