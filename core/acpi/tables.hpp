// The way from the root pointer to a verified table (ACPI 6.5, sections 5.2.5 to 5.2.8), and the
// walk over the records that MADT and SRAT are made of.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace twofold::acpi {

using TableBytes = std::span<std::byte const>;

/// Bounds of what is accepted; real machines stay far below.
inline constexpr u32 table_size_max = 4u << 20;
inline constexpr usize table_count_max = 256;
inline constexpr u32 table_header_size = 36;
inline constexpr unsigned physical_address_bits = 52;

/// The way to physical memory.
struct PhysicalReader {
    void* context;
    /// The `size` bytes at `address`, exactly, or why they cannot be read. They stay as they are
    /// while tables are being read.
    Result<TableBytes> (*function)(void* context, PhysAddr address, Bytes size);

    /// As above. Error::corrupted if the range leaves the physical address space.
    Result<TableBytes> read(PhysAddr address, Bytes size) const;
};

/// The four letters that name a table.
struct Signature {
    u32 value = 0;

    constexpr Signature() = default;
    constexpr explicit Signature(u32 little_endian) : value(little_endian) {}
    consteval explicit Signature(char const (&name)[5]) {
        for (unsigned i = 0; i < 4; ++i) {
            value |= static_cast<u32>(static_cast<u8>(name[i])) << 8 * i;
        }
    }
    constexpr bool operator==(Signature const&) const = default;
};

inline constexpr Signature rsdt_signature{"RSDT"};
inline constexpr Signature xsdt_signature{"XSDT"};
inline constexpr Signature madt_signature{"APIC"};
inline constexpr Signature srat_signature{"SRAT"};
inline constexpr Signature hpet_signature{"HPET"};
inline constexpr Signature mcfg_signature{"MCFG"};
inline constexpr Signature fadt_signature{"FACP"};
inline constexpr Signature dsdt_signature{"DSDT"};

/// What a table says of itself, whether or not its contents are sound.
struct TableInfo {
    Signature signature;
    PhysAddr address;
    u32 length;
    u8 revision;
    FixedString<6> oem; ///< what is printable of it
};

/// The tables that a root pointer leads to. A view: valid while the memory behind the reader is.
class Tables {
public:
    /// Follows the root pointer at `rsdp` to the XSDT, or the RSDT where there is none.
    /// Error::corrupted if a signature, length or checksum is wrong; the reader's error if memory
    /// cannot be read. O(n).
    static Result<Tables> open(PhysicalReader reader, PhysAddr rsdp);

    /// The number of tables that the root lists. At most table_count_max.
    usize count() const { return m_count; }
    /// Whether the root is the XSDT, with 64-bit addresses.
    bool is_extended() const { return m_entry_size == sizeof(u64); }

    /// The header of table `index` (below count()). Error::corrupted or the reader's error. O(1).
    Result<TableInfo> info(usize index) const;

    /// The whole of the first table of that name, its length and checksum verified.
    /// Error::not_found if there is none, Error::corrupted if it is damaged. Tables whose header
    /// cannot be read are passed over. O(count + length).
    Result<TableBytes> find(Signature signature) const;

private:
    Tables(PhysicalReader reader, TableBytes root, usize entry_size);

    PhysAddr entry(usize index) const;

    PhysicalReader m_reader;
    TableBytes m_entries;
    usize m_entry_size;
    usize m_count;
};

/// Whether the bytes of `table` add up to zero, modulo 256. O(n).
bool checksum_holds(TableBytes table);

/// The table at `address`: its signature compared, its length and checksum verified. For tables
/// that other tables point to, such as the DSDT. Error::corrupted or the reader's error. O(length).
Result<TableBytes> read_table(PhysicalReader const& reader, PhysAddr address, Signature signature);

/// A record of MADT or SRAT, with its type and length in front.
struct Record {
    u8 type;
    TableBytes bytes;
};

/// Walks records one after another. At most one step for each two bytes.
class RecordReader {
public:
    explicit RecordReader(TableBytes records) : m_reader(records) {}

    /// The next record, or none at the end. Error::corrupted if its length is too small for its own
    /// head or leads out of the table. O(1).
    Result<std::optional<Record>> next();

private:
    ByteReader m_reader;
};

/// Calls `visit(record)`, which returns Result<void>, for each record up to the first error, which
/// it returns. O(records).
template<class Visit>
Result<void> visit_records(TableBytes records, Visit const& visit) {
    RecordReader reader(records);
    for (;;) { // bounded: each record takes two bytes at least
        Result<std::optional<Record>> const record = reader.next();
        if (!record) {
            return record.error();
        }
        if (!record.value()) {
            return {};
        }
        if (Result<void> const visited = visit(*record.value()); !visited) {
            return visited;
        }
    }
}

} // namespace twofold::acpi

namespace twofold {

template<>
struct Formatter<acpi::Signature> {
    /// The four letters; what is not printable as '?'.
    static void format(acpi::Signature const& signature, Output const& out);
};

} // namespace twofold
