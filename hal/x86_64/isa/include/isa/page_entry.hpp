// The entries of x86-64 page tables, four or five levels: a codec between them and what they say
// (hal::PageMapping). Pure facts of the instruction set: constexpr, no machine, tested on the host,
// and used alike by the metal machine, by the stub that builds its first tables, and by the hosted
// MMU that walks the tables of the kernel.
//
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), volume 3A,
// sections 4.5 (4-level and 5-level paging) and 12.12 (page attribute table).
#pragma once

#include "hal/mmu_types.hpp"

namespace isa {

using namespace twofold;

/// Bits of an entry (SDM 3A, tables 4-15 to 4-20).
namespace page_bit {

inline constexpr u64 present = u64{1} << 0;
inline constexpr u64 write = u64{1} << 1;
inline constexpr u64 user = u64{1} << 2;
inline constexpr u64 write_through = u64{1} << 3; ///< PWT, bit 0 of the index into the PAT
inline constexpr u64 cache_disable = u64{1} << 4; ///< PCD, bit 1 of that index
inline constexpr u64 accessed = u64{1} << 5;
inline constexpr u64 dirty = u64{1} << 6;
inline constexpr u64 large = u64{1} << 7;     ///< a leaf, in an entry of level 1 or 2
inline constexpr u64 pat_small = u64{1} << 7; ///< bit 2 of the PAT index, in an entry of level 0
inline constexpr u64 global = u64{1} << 8;
inline constexpr u64 pat_large = u64{1} << 12; ///< bit 2 of the PAT index, in a larger leaf
inline constexpr u64 no_execute = u64{1} << 63;

} // namespace page_bit

/// The codec. Level 0 maps 4 KiB, level 1 2 MiB, level 2 1 GiB; the root is of the last level.
template<unsigned Levels>
struct PageEntryOf {
    static_assert(Levels == 4 || Levels == 5);
    static constexpr unsigned levels = Levels;
    static constexpr unsigned entries = 512;
    static constexpr unsigned highest_encodable_leaf = 2;
    /// For use as a codec by itself; a machine answers for its own processor.
    static constexpr unsigned highest_leaf_level() { return highest_encodable_leaf; }
    static constexpr u64 address_mask = 0x000f'ffff'ffff'f000;

    /// IA32_PAT as this codec expects it: index 0 write-back, 1 write-combining, 2 UC-, 3 uncached,
    /// 4 write-back, 5 write-protected, 6 UC-, 7 write-through. Every processor loads it at its
    /// start.
    static constexpr u64 page_attribute_table = 0x0407'0506'0007'0106;
    static constexpr u32 page_attribute_table_msr = 0x277;

    /// Bytes that one entry of `level` covers. O(1).
    static constexpr Bytes span(unsigned level) {
        CHECK(level < levels);
        return {u64{1} << shift(level)};
    }

    /// The entry that says `mapping`, which must be readable (the architecture cannot withhold
    /// reads) and aligned to the page of its level.
    static constexpr u64 encode_leaf(hal::PageMapping mapping, unsigned level) {
        CHECK(level <= highest_encodable_leaf);
        CHECK(includes(mapping.access, hal::Access::read));
        CHECK((mapping.frame.value & (~address_mask | (span(level).value - 1))) == 0);
        u64 entry = mapping.frame.value | page_bit::present;
        entry |= level > 0 ? page_bit::large : 0;
        entry |= includes(mapping.access, hal::Access::write) ? page_bit::write : 0;
        entry |= includes(mapping.access, hal::Access::user) ? page_bit::user : 0;
        entry |= includes(mapping.access, hal::Access::execute) ? 0 : page_bit::no_execute;
        entry |= mapping.global ? page_bit::global : 0;
        return entry | encode_cache(mapping.cache);
    }

    /// The entry that leads to `table`. It permits everything; the leaves decide.
    static constexpr u64 encode_table(PhysAddr table) {
        CHECK((table.value & ~address_mask) == 0);
        return table.value | page_bit::present | page_bit::write | page_bit::user;
    }

    static constexpr bool is_present(u64 entry) { return (entry & page_bit::present) != 0; }

    static constexpr bool is_leaf(u64 entry, unsigned level) {
        CHECK(level < levels);
        return is_present(entry) &&
               (level == 0 || (level <= highest_encodable_leaf && (entry & page_bit::large) != 0));
    }

    /// What a leaf of `level` says. The access granted is that of the leaf alone.
    static constexpr hal::PageMapping decode_leaf(u64 entry, unsigned level) {
        CHECK(is_leaf(entry, level));
        hal::Access access = hal::Access::read;
        if ((entry & page_bit::write) != 0) {
            access = access | hal::Access::write;
        }
        if ((entry & page_bit::user) != 0) {
            access = access | hal::Access::user;
        }
        if ((entry & page_bit::no_execute) == 0) {
            access = access | hal::Access::execute;
        }
        u64 const frame = entry & address_mask & ~(span(level).value - 1);
        return {{frame}, access, decode_cache(entry, level), (entry & page_bit::global) != 0};
    }

    static constexpr PhysAddr decode_table(u64 entry) {
        CHECK(is_present(entry));
        return {entry & address_mask};
    }

    static constexpr unsigned index(VirtAddr address, unsigned level) {
        CHECK(level < levels);
        return static_cast<unsigned>(address.value >> shift(level)) % entries;
    }

    /// Whether the highest bit that is translated and all above it are equal: bits 47 to 63 with
    /// four levels, 56 to 63 with five.
    static constexpr bool is_canonical(VirtAddr address) {
        i64 const high = static_cast<i64>(address.value) >> (shift(levels) - 1);
        return high == 0 || high == -1;
    }

    /// Whether a present entry sets a bit that is reserved on a processor with physical addresses
    /// of `physical_bits` bits (SDM 3A, table 4-15 and following): the access then faults with
    /// RSVD.
    static constexpr bool has_reserved_bits(u64 entry, unsigned level, unsigned physical_bits) {
        CHECK(level < levels && physical_bits >= 32 && physical_bits <= 52);
        u64 reserved = address_mask & ~((u64{1} << physical_bits) - 1);
        if (level > highest_encodable_leaf) {
            reserved |= page_bit::large;
        } else if (level > 0 && is_leaf(entry, level)) {
            reserved |= (span(level).value - 1) & address_mask & ~page_bit::pat_large;
        }
        return is_present(entry) && (entry & reserved) != 0;
    }

private:
    static constexpr unsigned shift(unsigned level) { return 12 + 9 * level; }

    static constexpr u64 encode_cache(hal::CacheMode mode) {
        switch (mode) {
        case hal::CacheMode::write_back:
            return 0;
        case hal::CacheMode::write_combining:
            return page_bit::write_through;
        case hal::CacheMode::uncached:
            return page_bit::cache_disable | page_bit::write_through;
        }
        UNREACHABLE();
    }

    /// Reads the mode through `page_attribute_table`. Modes that the contract does not name answer
    /// as the strictest one that it does.
    static constexpr hal::CacheMode decode_cache(u64 entry, unsigned level) {
        u64 const pat = level == 0 ? page_bit::pat_small : page_bit::pat_large;
        unsigned const number = ((entry & page_bit::write_through) != 0 ? 1 : 0) +
                                ((entry & page_bit::cache_disable) != 0 ? 2 : 0) +
                                ((entry & pat) != 0 ? 4 : 0);
        switch (page_attribute_table >> (8 * number) & 0xff) {
        case 6:
            return hal::CacheMode::write_back;
        case 1:
            return hal::CacheMode::write_combining;
        default:
            return hal::CacheMode::uncached;
        }
    }
};

using PageEntry = PageEntryOf<4>;
using PageEntry5 = PageEntryOf<5>;

/// The bits of a page fault's error code (SDM 3A, section 4.7).
namespace page_fault_bit {

inline constexpr u64 present = u64{1} << 0;
inline constexpr u64 write = u64{1} << 1;
inline constexpr u64 user = u64{1} << 2;
inline constexpr u64 reserved = u64{1} << 3;
inline constexpr u64 execute = u64{1} << 4;

} // namespace page_fault_bit

} // namespace isa
