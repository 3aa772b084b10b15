// The walk of a page table, as the processor does it: four levels of genuine entries, rights that
// every level must grant, and nothing assumed of tables that the kernel may have got wrong. Pure.
//
// Source: Intel SDM volume 3A, sections 4.5 and 4.6. Supervisor accesses, CR0.WP = 1, EFER.NXE = 1.
#pragma once

#include <isa/page_entry.hpp>

#include <cstddef>

namespace hosted {

using namespace twofold;

/// Physical memory from address 0, wherever the caller sees it.
struct PhysicalSpan {
    std::byte* base = nullptr;
    u64 size = 0;

    bool holds(u64 address, u64 bytes) const { return bytes <= size && address <= size - bytes; }
};

struct Walk {
    enum class Outcome : u8 {
        mapped,
        not_present,
        reserved_bits, ///< an entry sets a bit that must be zero
        outside,       ///< a table, or the page itself, lies beyond physical memory
    };
    Outcome outcome = Outcome::not_present;
    u8 level = 0;               ///< of the leaf, or of the entry that ended the walk
    u64 page = 0;               ///< first virtual address of the leaf
    PhysAddr address{};         ///< where the address itself leads
    hal::PageMapping mapping{}; ///< the leaf, with the rights that all levels grant together
};

/// Bits of a physical address on the hosted machine.
inline constexpr unsigned physical_bits = 46;

namespace detail {

inline Walk finish_walk(Walk walk, u64 entry, u64 address, hal::Access granted, u64 memory_size) {
    using isa::PageEntry;
    u64 const span = PageEntry::span(walk.level).value;
    walk.page = address & ~(span - 1);
    walk.mapping = PageEntry::decode_leaf(entry, walk.level);
    walk.mapping.access =
        static_cast<hal::Access>(static_cast<u8>(walk.mapping.access) & static_cast<u8>(granted));
    walk.address = {walk.mapping.frame.value + (address - walk.page)};
    walk.outcome =
        walk.address.value < memory_size ? Walk::Outcome::mapped : Walk::Outcome::outside;
    return walk;
}

} // namespace detail

/// Translates `address` by the tables under `root`. Any context, signal handlers too. O(levels).
inline Walk walk_tables(PhysicalSpan memory, PhysAddr root, VirtAddr address) {
    using isa::PageEntry;
    Walk walk;
    if (!PageEntry::is_canonical(address)) {
        return walk;
    }
    auto granted =
        hal::Access::read | hal::Access::write | hal::Access::execute | hal::Access::user;
    u64 table = root.value;
    for (unsigned level = PageEntry::levels; level-- > 0;) {
        walk.level = static_cast<u8>(level);
        u64 const slot = table + u64{PageEntry::index(address, level)} * sizeof(u64);
        if (!memory.holds(slot, sizeof(u64)) || slot % sizeof(u64) != 0) {
            walk.outcome = Walk::Outcome::outside;
            return walk;
        }
        // Sound: inside physical memory and aligned. The kernel may change it at any time.
        u64 const entry =
            __atomic_load_n(reinterpret_cast<u64 const*>(memory.base + slot), __ATOMIC_RELAXED);
        if (!PageEntry::is_present(entry)) {
            return walk;
        }
        if (PageEntry::has_reserved_bits(entry, level, physical_bits)) {
            walk.outcome = Walk::Outcome::reserved_bits;
            return walk;
        }
        if (PageEntry::is_leaf(entry, level)) {
            return detail::finish_walk(walk, entry, address.value, granted, memory.size);
        }
        auto const withheld =
            ((entry & isa::page_bit::write) == 0 ? hal::Access::write : hal::Access::none) |
            ((entry & isa::page_bit::user) == 0 ? hal::Access::user : hal::Access::none) |
            ((entry & isa::page_bit::no_execute) != 0 ? hal::Access::execute : hal::Access::none);
        granted = static_cast<hal::Access>(static_cast<u8>(granted) & ~static_cast<u8>(withheld));
        table = PageEntry::decode_table(entry).value;
    }
    return walk; // not reached: an entry of level 0 is a leaf or not present
}

} // namespace hosted
