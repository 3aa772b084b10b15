// Copy-on-write clones, and small pages gathered into large ones.
#include "core/memory/space/address_space.hpp"

#include <algorithm>

namespace twofold::memory {

Result<AddressSpace> AddressSpace::clone() {
    if (m_owner == Owner::kernel) {
        return Error::not_supported; // there is one kernel
    }
    AddressSpace copy = TRY(create(*m_frames, m_kernel_root));
    FlushBatch batch(*m_frames, reach());
    Result<void> outcome{};
    for (Range const* range = m_ranges.first(); range != nullptr && outcome;
         range = RangeSet::next(*range)) {
        outcome = clone_range(*range, copy, batch);
    }
    finish(batch);
    if (!outcome) {
        return outcome.error(); // and the half copy goes
    }
    return copy;
}

/// From now on both spaces read the same pages, and the first to write gets one of its own. If this
/// fails, pages of this space stay read-only until they are written to, which nobody can see.
Result<void> AddressSpace::clone_range(Range const& range, AddressSpace& copy, FlushBatch& batch) {
    TRY(copy.m_ranges.insert(range));
    if (range.object != nullptr) {
        range.object->retain();
    }
    if (range.kind == RangeKind::object && range.sharing == Sharing::shared) {
        return {}; // the object has the pages
    }
    bool const owned = owns_frames(range);
    Result<void> outcome{};
    m_table.rewrite(range.base, range.size, batch, [&](VirtAddr page, Leaf& leaf, unsigned level) {
        if (!outcome) {
            return false;
        }
        bool const withdraws = owned && leaf.access == PageAccess::read_write;
        Leaf theirs = leaf;
        theirs.access = withdraws ? PageAccess::read : leaf.access;
        outcome = copy.m_table.map(page, theirs, level);
        if (!outcome) {
            return false;
        }
        if (owned) {
            m_frames->share(leaf.frame, Table::order(level));
        }
        leaf.access = theirs.access;
        return withdraws;
    });
    return outcome;
}

Result<u64> AddressSpace::promote(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    TRY(require_ranges(base, size, false));
    if (hal::Mmu::highest_leaf_level() < large_page_level) {
        return u64{0};
    }
    FlushBatch batch(*m_frames, reach());
    u64 made = 0;
    Bytes const span = Table::span(large_page_level);
    VirtAddr const end = base + size;
    for (VirtAddr block = align_up(base, span); block < end && end - block >= span; block += span) {
        Range const& range = *m_ranges.find(block);
        bool const can_be_large =
            (range.kind == RangeKind::zero || range.kind == RangeKind::pinned) &&
            range.end() - block >= span;
        if (can_be_large && TRY(collapse(range, block, batch))) {
            ++made;
        }
    }
    finish(batch);
    m_statistics.large_pages += made;
    return made;
}

/// Copies the small pages at `block` into one large one, if all are there and nobody else's. A
/// fresh block even where they happen to lie side by side: a source takes back what it gave.
Result<bool> AddressSpace::collapse(Range const& range, VirtAddr block, FlushBatch& batch) {
    Bytes const span = Table::span(large_page_level);
    u64 ready = 0;
    m_table.for_each_leaf(block, span, [&](VirtAddr, Leaf const& leaf, unsigned level) {
        bool const good =
            level == 0 && leaf.access == range.access && !m_frames->is_shared(leaf.frame, 0);
        ready += good ? 1 : 0;
    });
    if (ready != span / page_size) {
        return false;
    }
    PhysAddr const large = TRY(m_frames->allocate(Table::order(large_page_level)));
    m_table.rewrite(block, span, batch, [&](VirtAddr page, Leaf& leaf, unsigned) {
        PhysAddr const place = large + (page - block);
        hal::Memory::copy_pages(
            hal::Memory::linear(place), hal::Memory::linear(leaf.frame), page_size);
        batch.release(leaf.frame, 0);
        leaf.frame = place;
        return true;
    });
    bool const joined = m_table.promote(block, large_page_level, batch);
    CHECK(joined);
    return true;
}

} // namespace twofold::memory
