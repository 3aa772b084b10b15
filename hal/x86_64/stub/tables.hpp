// The kernel's first page tables, W^X from the start.
#pragma once

#include "hal/mmu_types.hpp"
#include "hal/x86_64/entry/physical_memory.hpp"

namespace metal {

/// Memory that is taken from its beginning and never given back.
class BootArea {
public:
    explicit BootArea(PhysicalRange range)
        : m_start(range.base), m_next(range.base), m_end(range.base + range.size) {}

    /// `size` bytes, not cleared; ends the start with a message if there are none left. O(1).
    PhysAddr take(Bytes size, Bytes alignment);
    /// Gives back what was taken from `address` on. O(1).
    void rewind(PhysAddr address);
    /// From the first byte to the last one taken, rounded up to a page.
    PhysicalRange used() const;

private:
    PhysAddr m_start, m_next, m_end;
};

/// Builds tables in a BootArea, through the identity mapping.
class TableBuilder {
public:
    TableBuilder(BootArea& area, unsigned highest_leaf);

    /// Maps [address, address + size) to the same stretch from `frame` on; all page-aligned. What
    /// is mapped already stays as it is. O(pages), with the largest pages that fit.
    void map(VirtAddr address, PhysAddr frame, Bytes size, hal::Access access);
    PhysAddr root() const { return m_root; }

private:
    struct Stretch {
        VirtAddr address;
        PhysAddr frame;
        Bytes size;
        hal::Access access;
    };
    PhysAddr new_table();
    void fill(PhysAddr table, unsigned level, Stretch stretch);

    BootArea& m_area;
    unsigned m_highest_leaf;
    PhysAddr m_root;
};

/// Takes the entries of the upper half from `root` into the tables that are active, so that code
/// that runs in the identity mapping can jump into the upper half. O(1).
void share_upper_half(PhysAddr root);

} // namespace metal
