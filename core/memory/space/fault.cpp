// Faults: what a page that was touched becomes. The same code answers the processor's faults in the
// kernel's space and the copy operations' in any space.
#include "core/memory/space/address_space.hpp"
#include "core/sync/sync.hpp"

#include <algorithm>

namespace twofold::memory {

Result<void> AddressSpace::resolve(VirtAddr address, FaultAccess wanted) {
    Range const* const range = m_ranges.find(address);
    Result<void> outcome = Error::not_found;
    if (range != nullptr) {
        bool const allowed =
            range->kind != RangeKind::guard && permits(range->access, wanted.write, wanted.execute);
        outcome = allowed ? answer(*range, align_down(address, page_size), wanted)
                          : Result<void>(Error::permission_denied);
    }
    if (!outcome) {
        sync::note_edge(trace::Edge::fault_refused);
        ++m_statistics.refused;
    }
    return outcome;
}

/// `wanted` is within the rights of `range`.
Result<void> AddressSpace::answer(Range const& range, VirtAddr page, FaultAccess wanted) {
    if (auto const found = m_table.translate(page)) {
        if (permits(found->leaf.access, wanted.write, wanted.execute)) {
            // Somebody was quicker, or the processor remembers fewer rights than there are now.
            FlushBatch batch(*m_frames, reach());
            batch.note(page, page_size);
            finish(batch);
            ++m_statistics.stale;
            return {};
        }
        CHECK(wanted.write && owns_frames(range) && range.sharing == Sharing::own);
        return write_to_shared(range, *found, page);
    }
    switch (range.kind) {
    case RangeKind::zero:
        return fill_zero(range, page);
    case RangeKind::object:
        return fill_from_object(range, page, wanted.write);
    case RangeKind::guard:
    case RangeKind::device:
    case RangeKind::pinned:
    case RangeKind::boot:
        return Error::not_found;
    }
    UNREACHABLE();
}

Result<void> AddressSpace::fill_zero(Range const& range, VirtAddr page) {
    unsigned level = std::min(range.level_max, hal::Mmu::highest_leaf_level());
    for (; level > 0; --level) {
        VirtAddr const base = align_down(page, Table::span(level));
        bool const fits = base >= range.base && range.contains(base) &&
                          Table::span(level).value <= (range.end() - base).value &&
                          m_table.is_free(base, level);
        if (!fits) {
            continue;
        }
        auto const block = m_frames->allocate_zeroed(Table::order(level));
        if (!block) {
            sync::note_edge(trace::Edge::no_large_page); // many small frames may be left
            continue;
        }
        Result<void> const mapped =
            m_table.map(base, make_leaf(range, block.value(), range.access), level);
        if (!mapped) {
            m_frames->release(block.value(), Table::order(level));
            return mapped;
        }
        ++m_statistics.large_pages;
        ++m_statistics.zeroed;
        return {};
    }
    PhysAddr const frame = TRY(m_frames->allocate_zeroed(0));
    Result<void> const mapped = m_table.map(page, make_leaf(range, frame, range.access), 0);
    if (!mapped) {
        m_frames->release(frame, 0);
        return mapped;
    }
    ++m_statistics.zeroed;
    return {};
}

/// A write to a page that this space will not share makes the copy at once.
Result<void> AddressSpace::fill_from_object(Range const& range, VirtAddr page, bool write) {
    u64 const number = range.object_page + (page - range.base) / page_size;
    PhysAddr frame = TRY(range.object->frame(number));
    bool const copies = write && range.sharing == Sharing::own;
    if (copies) {
        PhysAddr const copy = TRY(m_frames->allocate(0));
        hal::Memory::copy_pages(hal::Memory::linear(copy), hal::Memory::linear(frame), page_size);
        frame = copy;
    } else {
        m_frames->share(frame, 0);
    }
    Leaf const leaf = make_leaf(range, frame, leaf_access(range, frame, 0));
    Result<void> const mapped = m_table.map(page, leaf, 0);
    if (!mapped) {
        m_frames->release(frame, 0);
        return mapped;
    }
    ++(copies ? m_statistics.copied : m_statistics.from_object);
    return {};
}

/// Makes a page writable that was not because others had a share in it; copies it if they still
/// have. `found` is its leaf.
Result<void> AddressSpace::write_to_shared(Range const& range, Translation found, VirtAddr page) {
    FlushBatch batch(*m_frames, reach());
    bool const shared = m_frames->is_shared(found.leaf.frame, Table::order(found.level)) &&
                        !mutant(Mutant::spaces_copy_on_write);
    PhysAddr copy{};
    if (shared) {
        // Of a large page only the small one that is written to is copied.
        if (found.level != 0) {
            sync::note_edge(trace::Edge::large_page_split);
        }
        TRY(m_table.split_at(page, batch));
        TRY(m_table.split_at(page + page_size, batch));
        found = *m_table.translate(page);
        CHECK(found.level == 0);
    }
    bool const copies = shared && m_frames->is_shared(found.leaf.frame, 0);
    if (copies) {
        copy = TRY(m_frames->allocate(0));
        hal::Memory::copy_pages(
            hal::Memory::linear(copy), hal::Memory::linear(found.leaf.frame), page_size);
    }
    Bytes const size = Table::span(found.level);
    m_table.rewrite(found.page, size, batch, [&](VirtAddr, Leaf& leaf, unsigned) {
        leaf.frame = copies ? copy : leaf.frame;
        leaf.access = range.access;
        return true;
    });
    if (copies) {
        batch.release(found.leaf.frame, 0);
    }
    finish(batch);
    ++(copies ? m_statistics.copied : m_statistics.reused);
    return {};
}

/// Where the kernel may touch `address` of this space; its page is made first if need be.
Result<std::byte*> AddressSpace::reach_page(VirtAddr address, bool write) {
    TRY(check_bounds(align_down(address, page_size), page_size));
    auto const found = m_table.translate(address);
    Range const* const range = m_ranges.find(address);
    if (range != nullptr && range->kind == RangeKind::device) {
        return Error::not_supported; // registers are no memory to copy
    }
    bool const ready = found && range != nullptr && permits(found->leaf.access, write, false);
    if (!ready) {
        TRY(resolve(address, {.write = write}));
    }
    auto* const place = static_cast<std::byte*>(hal::Mmu::view(m_table.root(), address));
    CHECK(place != nullptr);
    return place;
}

Result<void> AddressSpace::copy_to(VirtAddr target, std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
        usize const left = page_size.value - target.value % page_size.value;
        auto const part = bytes.first(std::min(left, bytes.size()));
        std::byte* const place = TRY(reach_page(target, true));
        std::copy(part.begin(), part.end(), place);
        bytes = bytes.subspan(part.size());
        target += Bytes{part.size()};
    }
    return {};
}

Result<void> AddressSpace::copy_from(std::span<std::byte> bytes, VirtAddr source) {
    while (!bytes.empty()) {
        usize const left = page_size.value - source.value % page_size.value;
        usize const count = std::min(left, bytes.size());
        std::span<std::byte const> const part(TRY(reach_page(source, false)), count);
        std::copy(part.begin(), part.end(), bytes.begin());
        bytes = bytes.subspan(count);
        source += Bytes{count};
    }
    return {};
}

} // namespace twofold::memory
