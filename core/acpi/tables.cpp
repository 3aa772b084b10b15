// From the root pointer to verified tables (tables.hpp).
#include "core/acpi/acpi.hpp"

namespace twofold::acpi {

namespace {

// The root system description pointer (ACPI 6.5, section 5.2.5.3).
constexpr std::string_view rsdp_signature = "RSD PTR ";
constexpr Bytes rsdp_size_first{20};    // revision 0
constexpr Bytes rsdp_size_extended{36}; // revision 2 and above
constexpr u32 rsdp_length_max = 4096;
constexpr usize rsdp_revision = 15;
constexpr usize rsdp_rsdt = 16;
constexpr usize rsdp_length = 20;
constexpr usize rsdp_xsdt = 24;

// The common table header (section 5.2.6).
constexpr usize header_length = 4;
constexpr usize header_revision = 8;
constexpr usize header_oem = 10;
constexpr usize header_oem_length = 6;

char printable(std::byte byte) {
    char const letter = static_cast<char>(byte);
    return letter >= ' ' && letter <= '~' ? letter : '?';
}

TableInfo read_info(TableBytes header, PhysAddr address) {
    CHECK(header.size() >= table_header_size);
    ByteReader const reader(header);
    TableInfo info{
        .signature = Signature(reader.peek_at<u32>(0).value()),
        .address = address,
        .length = reader.peek_at<u32>(header_length).value(),
        .revision = reader.peek_at<u8>(header_revision).value(),
        .oem = {}};
    for (std::byte const byte : header.subspan(header_oem, header_oem_length)) {
        Result<void> const appended = info.oem.append(printable(byte));
        CHECK(appended.has_value());
    }
    return info;
}

/// Where the root pointer leads, and the size of an entry there.
struct Root {
    PhysAddr address;
    usize entry_size;
};

Result<Root> read_root_pointer(PhysicalReader const& reader, PhysAddr rsdp) {
    TableBytes const first = TRY(reader.read(rsdp, rsdp_size_first));
    for (usize i = 0; i < rsdp_signature.size(); ++i) {
        if (static_cast<char>(first[i]) != rsdp_signature[i]) {
            return Error::corrupted;
        }
    }
    if (!checksum_holds(first)) {
        return Error::corrupted;
    }
    ByteReader const fields(first);
    Root const legacy{{TRY(fields.peek_at<u32>(rsdp_rsdt))}, sizeof(u32)};
    if (TRY(fields.peek_at<u8>(rsdp_revision)) < 2) {
        return legacy;
    }
    TableBytes const extended = TRY(reader.read(rsdp, rsdp_size_extended));
    u32 const length = TRY(ByteReader(extended).peek_at<u32>(rsdp_length));
    if (length < rsdp_size_extended.value || length > rsdp_length_max) {
        return Error::corrupted;
    }
    if (!checksum_holds(TRY(reader.read(rsdp, Bytes{length})))) {
        return Error::corrupted;
    }
    u64 const xsdt = TRY(ByteReader(extended).peek_at<u64>(rsdp_xsdt));
    return xsdt != 0 ? Root{{xsdt}, sizeof(u64)} : legacy;
}

} // namespace

Result<TableBytes> PhysicalReader::read(PhysAddr address, Bytes size) const {
    constexpr u64 limit = u64{1} << physical_address_bits;
    if (address.value >= limit || size.value > limit - address.value) {
        return Error::corrupted;
    }
    TableBytes const bytes = TRY(function(context, address, size));
    CHECK(bytes.size() == size.value);
    return bytes;
}

bool checksum_holds(TableBytes table) {
    u8 sum = 0;
    for (std::byte const byte : table) {
        sum = static_cast<u8>(sum + std::to_integer<u8>(byte));
    }
    return sum == 0 || mutant(Mutant::acpi_checksum);
}

Result<TableBytes> read_table(PhysicalReader const& reader, PhysAddr address, Signature signature) {
    TableBytes const header = TRY(reader.read(address, Bytes{table_header_size}));
    TableInfo const info = read_info(header, address);
    if (info.signature != signature || info.length < table_header_size ||
        info.length > table_size_max) {
        return Error::corrupted;
    }
    TableBytes const table = TRY(reader.read(address, Bytes{info.length}));
    if (!checksum_holds(table)) {
        return Error::corrupted;
    }
    return table;
}

Tables::Tables(PhysicalReader reader, TableBytes root, usize entry_size)
    : m_reader(reader),
      m_entries(root.subspan(table_header_size)),
      m_entry_size(entry_size),
      m_count(m_entries.size() / entry_size) {
    CHECK(m_count <= table_count_max);
}

Result<Tables> Tables::open(PhysicalReader reader, PhysAddr rsdp) {
    Root const root = TRY(read_root_pointer(reader, rsdp));
    Signature const expected = root.entry_size == sizeof(u64) ? xsdt_signature : rsdt_signature;
    TableBytes const table = TRY(read_table(reader, root.address, expected));
    usize const size = table.size() - table_header_size;
    if (size % root.entry_size != 0 || size / root.entry_size > table_count_max) {
        return Error::corrupted;
    }
    return Tables(reader, table, root.entry_size);
}

PhysAddr Tables::entry(usize index) const {
    CHECK(index < m_count);
    ByteReader const entries(m_entries);
    if (is_extended()) {
        return {entries.peek_at<u64>(index * sizeof(u64)).value()};
    }
    return {entries.peek_at<u32>(index * sizeof(u32)).value()};
}

Result<TableInfo> Tables::info(usize index) const {
    PhysAddr const address = entry(index);
    return read_info(TRY(m_reader.read(address, Bytes{table_header_size})), address);
}

Result<TableBytes> Tables::find(Signature signature) const {
    for (usize i = 0; i < m_count; ++i) {
        Result<TableInfo> const table = info(i);
        if (table && table.value().signature == signature) {
            return read_table(m_reader, table.value().address, signature);
        }
    }
    return Error::not_found;
}

Result<std::optional<Record>> RecordReader::next() {
    constexpr usize head = 2; // type, length
    if (m_reader.remaining() == 0) {
        return std::optional<Record>{};
    }
    Result<u8> const type = m_reader.peek_at<u8>(m_reader.position());
    Result<u8> const length = m_reader.peek_at<u8>(m_reader.position() + 1);
    if (!type || !length || length.value() < head) {
        return Error::corrupted;
    }
    Result<TableBytes> const bytes = m_reader.read_bytes(length.value());
    if (!bytes) {
        return Error::corrupted;
    }
    return std::optional<Record>{Record{type.value(), bytes.value()}};
}

} // namespace twofold::acpi

namespace twofold {

void Formatter<acpi::Signature>::format(acpi::Signature const& signature, Output const& out) {
    char letters[4];
    for (unsigned i = 0; i < 4; ++i) {
        letters[i] = acpi::printable(static_cast<std::byte>(signature.value >> 8 * i & 0xFF));
    }
    out.write({letters, sizeof(letters)});
}

} // namespace twofold
