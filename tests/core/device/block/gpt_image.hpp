// A partition table as a tool would write it, for tests: a protective MBR, both headers, both
// tables. Bytes alone.
#pragma once

#include "core/base/base.hpp"
#include "core/device/block/gpt.hpp"

#include <cstring>

namespace twofold::test_block {

struct MadePartition {
    u64 first = 0;
    u64 last = 0;
    std::string_view name;
};

class GptImage {
public:
    static constexpr u32 sector_bytes = 512, entries = 128, entry_bytes = 128;
    static constexpr u64 table_sectors = u64{entries} * entry_bytes / sector_bytes;

    /// In `bytes`, which are zeros, of a disk of just that length.
    explicit GptImage(std::span<std::byte> bytes) : m_bytes(bytes) {
        m_bytes[446 + 4] = std::byte{0xee};
        put(m_bytes, 510, u16{0xaa55});
    }

    u64 sectors() const { return m_bytes.size() / sector_bytes; }
    u64 first_usable() const { return 2 + table_sectors; }
    u64 last_usable() const { return sectors() - 2 - table_sectors; }
    std::span<std::byte> sector(u64 number) const {
        return m_bytes.subspan(number * sector_bytes, sector_bytes);
    }
    std::span<std::byte> table(u64 at) const {
        return m_bytes.subspan(at * sector_bytes, table_sectors * sector_bytes);
    }
    u64 backup_table() const { return sectors() - 1 - table_sectors; }

    void add(MadePartition const& wanted) {
        u32 const number = m_used++;
        for (u64 const at : {u64{2}, backup_table()}) {
            auto const entry = table(at).subspan(usize{number} * entry_bytes, entry_bytes);
            for (usize i = 0; i < 16; ++i) {
                entry[i] = static_cast<std::byte>(0x10 + i); // a kind
                entry[16 + i] = static_cast<std::byte>(number * 16 + i + 1);
            }
            put(entry, 32, wanted.first);
            put(entry, 40, wanted.last);
            for (usize i = 0; i < wanted.name.size(); ++i) {
                put(entry, 56 + i * 2, static_cast<u16>(wanted.name[i]));
            }
        }
    }
    /// Both headers, of the tables as they are.
    void seal() const {
        seal_one(1, sectors() - 1, 2);
        seal_one(sectors() - 1, 1, backup_table());
    }
    /// One of them; `change(header)` is called before its checksum is made.
    template<class Change>
    void seal_one(u64 own, u64 other, u64 table_at, Change const& change) const {
        auto const header = sector(own);
        std::memset(header.data(), 0, header.size());
        std::memcpy(header.data(), "EFI PART", 8);
        put(header, 8, u32{0x00010000});
        put(header, 12, u32{92});
        put(header, 24, own);
        put(header, 32, other);
        put(header, 40, first_usable());
        put(header, 48, last_usable());
        header[56] = std::byte{0xd1};
        put(header, 72, table_at);
        put(header, 80, entries);
        put(header, 84, entry_bytes);
        put(header, 88, crc32(table(table_at)));
        change(header);
        put(header, 16, u32{0});
        put(header, 16, crc32(header.first(92)));
    }
    void seal_one(u64 own, u64 other, u64 table_at) const {
        seal_one(own, other, table_at, [](std::span<std::byte>) {});
    }

    template<class T>
    static void put(std::span<std::byte> bytes, usize at, T value) {
        std::memcpy(bytes.subspan(at, sizeof(value)).data(), &value, sizeof(value));
    }

private:
    std::span<std::byte> m_bytes;
    u32 m_used = 0;
};

} // namespace twofold::test_block
