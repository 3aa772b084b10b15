// Taking ranges away, and changing what they permit.
#include "core/memory/space/address_space.hpp"

#include <algorithm>

namespace twofold::memory {

/// Cuts leaves and ranges, so that none crosses an end of [base, base + size). Leaves first: where
/// this fails half way, they may be smaller than their range asks for, but never cross its end.
Result<void> AddressSpace::split_at_ends(VirtAddr base, Bytes size, Work& work) {
    VirtAddr const ends[] = {base, base + size};
    for (VirtAddr const boundary : ends) {
        TRY(m_table.split_at(boundary, work.batch, work.stock));
    }
    for (VirtAddr const boundary : ends) {
        TRY(m_ranges.split(boundary, work.stock));
    }
    return {};
}

/// The first range in [at, at + size), cut at its ends if others have joined ranges there
/// meanwhile; null if there is none.
Result<Range*> AddressSpace::range_within(VirtAddr at, Bytes size, Work& work) {
    VirtAddr const last = at + (size - Bytes{1});
    Range* range = m_ranges.lower_bound(at);
    if (range == nullptr || range->base > last) {
        return nullptr;
    }
    if (range->base < at || range->end() - Bytes{1} > last) {
        TRY(split_at_ends(at, size, work));
        range = m_ranges.lower_bound(at);
    }
    CHECK(range != nullptr && range->base >= at && range->end() - Bytes{1} <= last);
    return range;
}

/// Takes leaves of a part of `range` away, and this space's share of their frames but for those
/// that are `kept`; as far as one step goes.
Bytes AddressSpace::unmap_pages(
    Range const& range, VirtAddr base, Bytes size, Work& work, std::span<PhysAddr const> kept) {
    bool const owned = owns_frames(range);
    return m_table.unmap(
        base, size, work.batch,
        [&](VirtAddr, Leaf leaf, unsigned level) {
            if (owned && std::ranges::find(kept, leaf.frame) == kept.end()) {
                work.batch.release(leaf.frame, Table::order(level));
            }
        },
        step_budget);
}

/// Of a range without pages.
void AddressSpace::drop_range(Range& range, Work& work) {
    if (range.object != nullptr) {
        work.dropped.push_back(range.object).value();
    }
    m_ranges.remove(range, work.batch);
}

/// Takes away what lies in the first range of [at, at + size), as far as one step goes; what has
/// gone has no range any more either.
Result<Bytes> AddressSpace::unmap_next(VirtAddr at, Bytes size, Work& work) {
    Range* const range = TRY(range_within(at, size, work));
    if (range == nullptr) {
        return size;
    }
    if (range->base > at) {
        return range->base - at;
    }
    CHECK(range->kind != RangeKind::boot);
    Bytes const done = unmap_pages(*range, at, range->size, work);
    if (done == range->size) {
        drop_range(*range, work);
    } else {
        range->drop_front(done);
    }
    return done;
}

/// Takes everything in [base, base + size) away. Needs no memory where nothing crosses an end.
Result<void> AddressSpace::take_away(VirtAddr base, Bytes size) {
    Work work(*m_frames);
    return sweep(work, base, size, [&](VirtAddr at, Bytes left) -> Result<Bytes> {
        m_lock.assert_held();
        return unmap_next(at, left, work);
    });
}

Result<void> AddressSpace::unmap(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    VirtAddr const last = base + (size - Bytes{1});
    bool found = false;
    for (auto range = next_range(base); range && range->base <= last;
         range = next_range(range->end())) {
        if (range->kind == RangeKind::boot) {
            return Error::permission_denied;
        }
        found = true;
    }
    if (!found) {
        return Error::not_found;
    }
    Work work(*m_frames);
    TRY(attempt(work, [&]() -> Result<void> {
        m_lock.assert_held();
        return split_at_ends(base, size, work);
    }));
    return take_away(base, size);
}

/// Whether ranges cover all of [base, base + size), with rights that may change if that is asked.
Result<void> AddressSpace::require_ranges(VirtAddr base, Bytes size, Must must) const {
    VirtAddr const last = base + (size - Bytes{1});
    for (VirtAddr covered = base; covered <= last;) {
        auto const range = find(covered);
        if (!range) {
            return Error::not_found;
        }
        if (must == Must::change &&
            (range->kind == RangeKind::guard || range->kind == RangeKind::boot)) {
            return Error::permission_denied;
        }
        covered = range->end();
    }
    return {};
}

/// Gives the first range of [at, at + size) new rights; its leaves follow.
Result<Bytes> AddressSpace::protect_next(VirtAddr at, Bytes size, PageAccess access, Work& work) {
    Range* const range = TRY(range_within(at, size, work));
    if (range == nullptr) {
        return size; // another processor has taken it away
    }
    if (range->kind != RangeKind::guard && range->kind != RangeKind::boot) {
        range->access = access;
    }
    return range->end() - at;
}

/// Makes leaves say what their range says now, whoever has changed that last.
Result<Bytes> AddressSpace::adjust_next(VirtAddr at, Bytes size, Work& work) {
    Range const* const range = TRY(range_within(at, size, work));
    if (range == nullptr) {
        return size;
    }
    if (range->base > at) {
        return range->base - at;
    }
    if (range->kind == RangeKind::guard || range->kind == RangeKind::boot) {
        return range->size;
    }
    return m_table.rewrite(
        at, range->size, work.batch,
        [&](VirtAddr, Leaf& leaf, unsigned level) {
            PageAccess const now = leaf_access(*range, leaf, level);
            return std::exchange(leaf.access, now) != now;
        },
        step_budget);
}

Result<void> AddressSpace::protect(VirtAddr base, Bytes size, PageAccess access) {
    TRY(check_bounds(base, size));
    TRY(require_ranges(base, size, Must::change));
    Work work(*m_frames);
    TRY(attempt(work, [&]() -> Result<void> {
        m_lock.assert_held();
        return split_at_ends(base, size, work);
    }));
    TRY(sweep(work, base, size, [&](VirtAddr at, Bytes left) -> Result<Bytes> {
        m_lock.assert_held();
        return protect_next(at, left, access, work);
    }));
    TRY(sweep(work, base, size, [&](VirtAddr at, Bytes left) -> Result<Bytes> {
        m_lock.assert_held();
        return adjust_next(at, left, work);
    }));
    for (VirtAddr const end : {base, base + (size - Bytes{1})}) {
        TRY(attempt(work, [&]() -> Result<void> {
            m_lock.assert_held();
            if (Range* const range = m_ranges.find(end)) {
                m_ranges.merge_around(*range, work.batch, work.dropped);
            }
            return {};
        }));
    }
    return {};
}

} // namespace twofold::memory
