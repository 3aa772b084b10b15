// See gpt.hpp.
#include "core/device/block/gpt.hpp"

#include <algorithm>

namespace twofold::block::gpt {

namespace {

constexpr u64 signature = 0x5452'4150'2049'4645; ///< "EFI PART"
constexpr u32 revision = 0x0001'0000;
constexpr u32 header_bytes_min = 92;
constexpr u32 entry_bytes_min = 128;

// Where what lies in a header.
constexpr usize revision_place = 8, size_place = 12, checksum_place = 16, own_place = 24,
                first_usable_place = 40, last_usable_place = 48, guid_place = 56,
                entries_place = 72, count_place = 80, entry_bytes_place = 84,
                entries_checksum_place = 88;
// And in an entry.
constexpr usize id_place = 16, first_place = 32, last_place = 40, name_place = 56,
                name_letters = 36;

template<class T>
T at(std::span<std::byte const> bytes, usize place) {
    return ByteReader(bytes).peek_at<T>(place).value(); // the caller knows the length
}

Guid guid_at(std::span<std::byte const> bytes, usize place) {
    Guid guid;
    for (usize i = 0; i < guid.size(); ++i) {
        guid[i] = at<u8>(bytes, place + i);
    }
    return guid;
}

/// The checksum of a header of so many bytes, with 0 in its own place.
u32 checksum_of(std::span<std::byte const> header) {
    constexpr std::byte zeros[4]{};
    Crc32 sum;
    sum.update(header.first(checksum_place));
    sum.update(zeros);
    sum.update(header.subspan(checksum_place + sizeof(zeros)));
    return sum.value();
}

FixedString<36> name_at(std::span<std::byte const> entry) {
    FixedString<36> name;
    for (usize i = 0; i < name_letters; ++i) {
        u16 const letter = at<u16>(entry, name_place + i * 2);
        if (letter == 0) {
            break;
        }
        char const shown = letter >= ' ' && letter <= '~' ? static_cast<char>(letter) : '?';
        name.append({&shown, 1}).value();
    }
    return name;
}

bool overlaps(Partition const& a, Partition const& b) {
    return a.first <= b.last && b.first <= a.last;
}

} // namespace

GuidText text_of(Guid const& guid) {
    constexpr u8 order[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    constexpr std::string_view digits = "0123456789ABCDEF";
    GuidText text;
    for (usize i = 0; i < std::size(order); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            text.append("-").value();
        }
        u8 const byte = guid[order[i]];
        text.append(digits.substr(byte >> 4, 1)).value();
        text.append(digits.substr(byte & 15, 1)).value();
    }
    return text;
}

bool is_protective(std::span<std::byte const> sector) {
    constexpr usize records = 446, record_bytes = 16, kind = 4, record_count = 4;
    constexpr u8 gpt_kind = 0xee;
    if (sector.size() < 512 || at<u16>(sector, 510) != 0xaa55) {
        return false;
    }
    for (usize i = 0; i < record_count; ++i) {
        if (at<u8>(sector, records + i * record_bytes + kind) == gpt_kind) {
            return true;
        }
    }
    return false;
}

Result<Header> parse_header(std::span<std::byte const> sector, u64 own, u64 sectors) {
    if (sector.size() < 512 || at<u64>(sector, 0) != signature) {
        return Error::not_found;
    }
    u32 const size = at<u32>(sector, size_place);
    if (size < header_bytes_min || size > sector.size() ||
        at<u32>(sector, checksum_place) != checksum_of(sector.first(size))) {
        return Error::corrupted;
    }
    if (at<u32>(sector, revision_place) != revision) {
        return Error::not_supported;
    }
    Header const header{
        .first_usable = at<u64>(sector, first_usable_place),
        .last_usable = at<u64>(sector, last_usable_place),
        .disk = guid_at(sector, guid_place),
        .entries_sector = at<u64>(sector, entries_place),
        .entries = at<u32>(sector, count_place),
        .entry_bytes = at<u32>(sector, entry_bytes_place),
        .entries_checksum = at<u32>(sector, entries_checksum_place)};
    bool const has_sane_entries =
        header.entries != 0 && header.entries <= entries_max &&
        header.entry_bytes >= entry_bytes_min && header.entry_bytes <= entry_bytes_max &&
        is_power_of_two(header.entry_bytes) && header.entries_size_bytes() <= table_bytes_max;
    if (at<u64>(sector, own_place) != own || !has_sane_entries ||
        header.first_usable > header.last_usable || header.last_usable >= sectors) {
        return Error::corrupted;
    }
    // The table lies on the disk, behind the first header's sector, and in no partition.
    u64 const table_sectors = align_up(header.entries_size_bytes(), sector.size()) / sector.size();
    u64 const table = header.entries_sector;
    bool const is_inside =
        table > header_sector && table < sectors && table_sectors <= sectors - table;
    bool const is_apart =
        table > header.last_usable || table + table_sectors <= header.first_usable;
    bool const is_over_header = table <= own && own - table < table_sectors;
    return is_inside && is_apart && !is_over_header ? Result<Header>(header)
                                                    : Result<Header>(Error::corrupted);
}

Result<void> parse_entries(Header const& header, std::span<std::byte const> table, Found& found) {
    if (table.size() != header.entries_size_bytes() || crc32(table) != header.entries_checksum) {
        return Error::corrupted;
    }
    for (u32 i = 0; i < header.entries; ++i) {
        auto const entry = table.subspan(usize{i} * header.entry_bytes, header.entry_bytes);
        Partition const partition{
            .number = i + 1,
            .first = at<u64>(entry, first_place),
            .last = at<u64>(entry, last_place),
            .type = guid_at(entry, 0),
            .id = guid_at(entry, id_place),
            .name = name_at(entry)};
        if (partition.type == Guid{}) {
            continue; // not used
        }
        bool const is_inside = partition.first <= partition.last &&
                               partition.first >= header.first_usable &&
                               partition.last <= header.last_usable;
        bool const is_apart = std::ranges::none_of(
            found.partitions, [&](Partition const& other) { return overlaps(other, partition); });
        bool const is_kept = is_inside && is_apart && found.partitions.push_back(partition);
        found.refused += is_kept ? 0 : 1;
    }
    return {};
}

} // namespace twofold::block::gpt
