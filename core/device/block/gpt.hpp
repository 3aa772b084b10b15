// The GUID partition table: what a disk's first sectors say about how it is divided. Pure, and
// apart from all I/O: bytes in, values out. Every number is hostile until it was checked here.
//
// Source: UEFI Specification 2.10, chapter 5 (5.2.3 protective MBR, 5.3.2 header, 5.3.3 entries).
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <cstddef>
#include <span>

namespace twofold::block::gpt {

/// As it lies on the disk.
using Guid = std::array<u8, 16>;

/// How it is written: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", whose first three numbers are
/// little-endian.
using GuidText = FixedString<36>;
GuidText text_of(Guid const& guid);

/// What of a header is of use, checked.
struct Header {
    u64 first_usable = 0; ///< sectors that partitions may lie in
    u64 last_usable = 0;
    Guid disk{};
    u64 entries_sector = 0;
    u32 entries = 0;
    u32 entry_bytes = 0;
    u32 entries_checksum = 0;

    u64 entries_size_bytes() const { return u64{entries} * entry_bytes; }
};

struct Partition {
    u32 number = 0; ///< from 1: its place in the table
    u64 first = 0;
    u64 last = 0; ///< its last sector
    Guid type{};
    Guid id{};
    FixedString<36> name; ///< what of it is ASCII; '?' stands for the rest
};

inline constexpr u64 header_sector = 1;
inline constexpr u32 entries_max = 1024;     ///< of a table; the specification has 128
inline constexpr u32 entry_bytes_max = 1024; ///< 128 times a power of two
inline constexpr u64 table_bytes_max = 1u << 17;
inline constexpr usize partitions_max = 128;

using Partitions = FixedVector<Partition, partitions_max>;

/// What was found in a table.
struct Found {
    Partitions partitions; ///< in the order of their numbers
    u32 refused = 0;       ///< entries that lie outside, overlap one before, or are too many
};

/// Whether the first sector says that a GPT follows. O(1).
bool is_protective(std::span<std::byte const> sector);

/// Checks the header in `sector`, which was read at `at` of a disk with so many sectors of that
/// length. Errors: not_found (no header lies there), not_supported (another version), corrupted
/// (a checksum or a number is wrong). O(sector).
Result<Header> parse_header(std::span<std::byte const> sector, u64 at, u64 sectors);

/// Checks the table, of header.entries_size_bytes() bytes, and puts into `found` what it has.
/// Errors: corrupted (the checksum is wrong). O(bytes + partitions^2).
Result<void> parse_entries(Header const& header, std::span<std::byte const> table, Found& found);

} // namespace twofold::block::gpt
