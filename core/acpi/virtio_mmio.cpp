// See virtio_mmio.hpp.
#include "core/acpi/virtio_mmio.hpp"

#include "core/acpi/byte_code.hpp"

#include <string_view>

namespace twofold::acpi {

namespace {

constexpr std::string_view hardware_id = "LNRO0005";
constexpr u32 resources_name = 0x5352'435f;   // "_CRS", little-endian
constexpr u32 hardware_id_name = 0x4449'485f; // "_HID": of the next device
constexpr usize body_max = 256;               // of a device, behind its id

/// Types of resource descriptors (section 6.4).
constexpr u8 large_item = 0x80, fixed_memory = 0x86, extended_interrupt = 0x89, small_end = 0x0f;

bool is_id_at(TableBytes table, usize at) {
    if (at >= table.size() || table.size() - at < hardware_id.size() + 2 ||
        std::to_integer<u8>(table[at]) != byte_code::string_prefix) {
        return false;
    }
    for (usize i = 0; i < hardware_id.size(); ++i) {
        if (std::to_integer<char>(table[at + 1 + i]) != hardware_id[i]) {
            return false;
        }
    }
    return table[at + 1 + hardware_id.size()] == std::byte{0};
}

/// Reads one descriptor into what is known; whether there are more.
Result<bool> read_descriptor(
    ByteReader& items, std::optional<PhysAddr>& base, Bytes& size, std::optional<u32>& line) {
    u8 const type = TRY(items.read<u8>());
    if ((type & large_item) == 0) {
        constexpr u8 length_mask = 7;
        TRY(items.skip(type & length_mask));
        return (type >> 3 & 0xf) != small_end;
    }
    u16 const length = TRY(items.read<u16>());
    ByteReader item(TRY(items.read_bytes(length)));
    if (type == fixed_memory) {
        TRY(item.skip(1)); // whether it is written to
        base = PhysAddr{TRY(item.read<u32>())};
        size = Bytes{TRY(item.read<u32>())};
    } else if (type == extended_interrupt) {
        TRY(item.skip(1)); // how it is driven: virtio's are levels
        if (TRY(item.read<u8>()) != 1) {
            return Error::not_supported;
        }
        line = TRY(item.read<u32>());
    }
    return true;
}

/// `code` begins at the buffer of resources.
Result<VirtioMmio> read_resources(ByteReader code) {
    if (TRY(code.read<u8>()) != byte_code::buffer_op) {
        return Error::corrupted;
    }
    TRY(byte_code::skip_package_length(code));
    u64 const bytes = TRY(byte_code::read_integer(code));
    ByteReader items(TRY(code.read_bytes(bytes)));
    std::optional<PhysAddr> base;
    std::optional<u32> line;
    Bytes size{};
    while (TRY(read_descriptor(items, base, size, line))) { // bounded: each takes a byte
    }
    if (!base || !line || size == Bytes{}) {
        return Error::corrupted;
    }
    return VirtioMmio{*base, size, *line};
}

/// `body` begins behind the id.
Result<VirtioMmio> read_device(TableBytes body) {
    ByteReader code(body);
    while (true) { // bounded: each turn takes a byte
        if (TRY(code.read<u8>()) != byte_code::name_op) {
            continue;
        }
        u32 const name = TRY(code.peek_at<u32>(code.position()));
        if (name == hardware_id_name) {
            return Error::not_found;
        }
        if (name == resources_name) {
            TRY(code.skip(sizeof(name)));
            return read_resources(code);
        }
    }
}

} // namespace

std::optional<VirtioMmio> VirtioMmioReader::next() {
    while (m_at < m_table.size()) {
        if (!is_id_at(m_table, m_at)) {
            ++m_at;
            continue;
        }
        m_at += hardware_id.size() + 2;
        usize const left = m_table.size() - m_at;
        auto const found = read_device(m_table.subspan(m_at, left < body_max ? left : body_max));
        if (found) {
            return found.value();
        }
    }
    return std::nullopt;
}

} // namespace twofold::acpi
