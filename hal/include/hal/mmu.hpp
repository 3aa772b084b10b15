// The memory management unit: the format of its tables, and the operations on what it caches.
#pragma once

#include "hal/mmu_types.hpp"

#include <concepts>

#include <machine/mmu.hpp>

namespace hal {

/// Level 0 tables map pages of 4 KiB; each level above covers `entries` times as much.
template<class M>
concept MmuContract = requires(
    PageMapping mapping, u64 entry, unsigned level, VirtAddr address, Bytes size, PhysAddr root) {
    /// Number of table levels, entries a table, and the highest level that may hold a leaf.
    { M::levels } -> std::convertible_to<unsigned>;
    { M::entries } -> std::convertible_to<unsigned>;
    { M::highest_leaf_level() } -> std::same_as<unsigned>;
    /// The codec: pure, constexpr. 0 is an entry that is not present.
    { M::encode_leaf(mapping, level) } -> std::same_as<u64>;
    { M::encode_table(root) } -> std::same_as<u64>;
    { M::is_present(entry) } -> std::same_as<bool>;
    { M::is_leaf(entry, level) } -> std::same_as<bool>;
    { M::decode_leaf(entry, level) } -> std::same_as<PageMapping>;
    { M::decode_table(entry) } -> std::same_as<PhysAddr>;
    /// The index of `address` in a table of `level`, and whether the address is one that the
    /// hardware accepts at all.
    { M::index(address, level) } -> std::same_as<unsigned>;
    { M::is_canonical(address) } -> std::same_as<bool>;
    /// The active root table, and its replacement. Activating drops cached translations that are
    /// not global.
    { M::root() } -> std::same_as<PhysAddr>;
    { M::activate(root) } -> std::same_as<void>;
    /// Drops what this processor has cached for [address, address + size). Needed after any change
    /// to an entry that was present. O(pages), or O(1) for large ranges.
    { M::flush(address, size) } -> std::same_as<void>;
    /// How many translations this processor caches that the active tables do not bear out: what a
    /// missing flush leaves behind. For tests; 0 on a machine that cannot tell. O(cached).
    { M::count_stale() } -> std::same_as<u64>;
    /// Where the kernel may touch `address` of the space under `root`, which need not be active;
    /// null if the address is not mapped there.
    { M::view(root, address) } -> std::same_as<void*>;
};
static_assert(MmuContract<Mmu>, "the machine's Mmu does not keep the contract");

} // namespace hal
