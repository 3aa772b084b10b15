// How the engine reaches the tables that it edits: through the linear window, or through a slot of
// the root that leads to the root itself.
#pragma once

#include "core/memory/space/frame_view.hpp"
#include "hal/mmu.hpp"

#include <concepts>

namespace twofold::memory {

/// A word of a page table. The processor reads it at any time, so every access is whole.
using TableEntry = Atomic<u64>;

/// What the engine needs of an accessor. `level` is the table's own: 0 holds pages of 4 KiB.
template<class A>
concept TableAccess = requires(A& access, PhysAddr table, VirtAddr address, unsigned level) {
    /// The entries of the table of `level` that covers `address`; it lies at `table` and is linked.
    { access.entries(table, address, level) } -> std::same_as<TableEntry*>;
    /// The entries of a table that is not linked yet; valid until the next call.
    { access.stage(table) } -> std::same_as<TableEntry*>;
};

/// Tables through the linear window.
struct LinearTables {
    TableEntry* entries(PhysAddr table, VirtAddr, unsigned) const {
        return frame_object<TableEntry>(table);
    }
    TableEntry* stage(PhysAddr table) const { return frame_object<TableEntry>(table); }
};

/// Tables through a recursive slot: entry `slot` of the root leads to the root. An address that
/// begins with n times that slot ends the walk n levels early, on a table instead of a page.
/// `View` turns such an address into a pointer; where the root is active it is the identity.
///
/// Tables that are not linked are staged at `window`, a page whose level-0 table exists.
/// Algorithm: Intel SDM volume 3A, section 4.5 applied to itself; known from Windows NT's page
/// tables at 0xC0000000.
template<class Codec, class View>
class RecursiveTables {
public:
    RecursiveTables(View view, unsigned slot, VirtAddr window)
        : m_view(view), m_slot(slot), m_window(window) {}

    TableEntry* entries(PhysAddr, VirtAddr address, unsigned level) {
        return static_cast<TableEntry*>(m_view(address_of(address, level)));
    }
    TableEntry* stage(PhysAddr table) {
        unsigned const index = Codec::index(m_window, 0);
        auto const entries_of_window = std::span(entries({}, m_window, 0), usize{Codec::entries});
        hal::PageMapping const mapping{table, hal::Access::read | hal::Access::write};
        entries_of_window[index].store(Codec::encode_leaf(mapping, 0), release);
        hal::Mmu::flush(m_window, page_size);
        return static_cast<TableEntry*>(m_view(m_window));
    }

    /// Where the table of `level` that covers `address` appears. O(levels).
    VirtAddr address_of(VirtAddr address, unsigned level) const {
        constexpr unsigned index_bits = static_cast<unsigned>(std::countr_zero(Codec::entries));
        constexpr unsigned page_bits = 12;
        constexpr unsigned bits = page_bits + index_bits * Codec::levels;
        u64 out = 0;
        for (unsigned place = Codec::levels; place-- > 0;) {
            // The walk takes `level` + 1 turns through the root first, then the address's own way.
            unsigned const own = place + level + 1;
            u64 const index = own < Codec::levels ? Codec::index(address, own) : m_slot;
            out |= index << (page_bits + index_bits * place);
        }
        bool const upper = (out >> (bits - 1) & 1) != 0;
        return {upper ? out | ~((u64{1} << bits) - 1) : out};
    }

private:
    View m_view;
    unsigned m_slot;
    VirtAddr m_window;
};

} // namespace twofold::memory
