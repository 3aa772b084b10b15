// Faults: what a page that was touched becomes. The same code answers the processor's faults in the
// kernel's space and the copy operations' in any space.
//
// A fault is looked at under the lock; the page that it needs is made without it; then it is looked
// at again, and the page is used if it is still the one that is needed. Of processors that touch
// the same page at once each may make one; the first wins, the others find the access allowed.
#include "core/memory/space/address_space.hpp"
#include "core/sync/sync.hpp"

#include <algorithm>

namespace twofold::memory {

/// What must be there before a fault can be answered.
struct AddressSpace::PageWanted {
    enum class Kind : u8 {
        nothing, ///< it is answered
        zeros,   ///< a page of zeros of `level`
        copy,    ///< a copy of `source`, in which this fault has a share
        object,  ///< page `number` of `object`, in which this fault has a reference
        owners,  ///< whether anybody has a share in the large page at `source`
    };

    Kind kind = Kind::nothing;
    unsigned level = 0;
    PhysAddr source{};
    MemoryObject* object = nullptr;
    u64 number = 0;
    u64 sharings = 0;    ///< of the space, when owners are looked for
    bool copies = false; ///< the object's page is to be copied
};

/// The page that was made for a fault; goes back if it is not used.
struct AddressSpace::FreshPage {
    explicit FreshPage(SharedFrames& all_frames) : frames(all_frames) {}
    FreshPage(FreshPage const&) = delete;
    FreshPage& operator=(FreshPage const&) = delete;
    ~FreshPage() { drop(); }

    /// Whether it is this: what was made is used, not made again.
    bool is(PageWanted::Kind kind, PhysAddr source = {}) const {
        return made.kind == kind && made.source == source;
    }
    /// The caller has it now.
    PhysAddr take() { return std::exchange(frame, {}); }

    void drop() {
        if (frame != PhysAddr{} && !mutant(Mutant::spaces_fresh_lost)) {
            frames.release(take(), made.level);
        }
        if (made.object != nullptr) {
            MemoryObject::release(*made.object);
        }
        if (made.kind == PageWanted::Kind::copy) {
            frames.release(made.source, 0);
        }
        made = {};
    }
    Result<void> make(PageWanted const& wanted);
    Result<void> copy_of(PhysAddr page) {
        frame = TRY(frames.allocate(0));
        hal::Memory::copy_pages(hal::Memory::linear(frame), hal::Memory::linear(page), page_size);
        return {};
    }

    SharedFrames& frames;
    PageWanted made;
    PhysAddr frame{};         ///< a share of it is held here; frame 0 is none
    unsigned level_max = ~0u; ///< no block of a higher level is to be had
    bool has_owners = true;   ///< the answer for the large page at made.source
};

/// Without the lock. Errors: out_of_memory.
Result<void> AddressSpace::FreshPage::make(PageWanted const& wanted) {
    using enum PageWanted::Kind;
    drop();
    made = wanted;
    switch (wanted.kind) {
    case nothing:
        return {};
    case zeros: {
        auto const block = frames.allocate_zeroed(Table::order(wanted.level));
        if (!block && wanted.level > 0) {
            sync::note_edge(trace::Edge::no_large_page); // many small frames may be left
            made = {};
            level_max = wanted.level - 1;
            return {};
        }
        made.level = Table::order(wanted.level);
        frame = TRY(block);
        return {};
    }
    case copy:
        return copy_of(wanted.source);
    case object: {
        PhysAddr const page = TRY(wanted.object->frame(wanted.number));
        if (wanted.copies) {
            return copy_of(page);
        }
        frames.share(page, 0);
        frame = page;
        return {};
    }
    case owners:
        made.level = 0;
        has_owners = frames.is_shared(wanted.source, Table::order(wanted.level));
        return {};
    }
    UNREACHABLE();
}

Result<void> AddressSpace::resolve(VirtAddr address, FaultAccess wanted) {
    Work work(*m_frames);
    FreshPage fresh(*m_frames);
    VirtAddr const page = align_down(address, page_size);
    while (true) {
        auto const next = attempt(work, [&]() -> Result<PageWanted> {
            m_lock.assert_held();
            return answer(page, wanted, fresh, work);
        });
        Result<void> const outcome = next ? fresh.make(next.value()) : Result<void>{next.error()};
        if (!outcome) {
            sync::note_edge(trace::Edge::fault_refused);
            sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
            ++m_statistics.refused;
            return outcome;
        }
        if (next.value().kind == PageWanted::Kind::nothing) {
            return {};
        }
    }
}

/// Answers the fault if what it needs is there; else says what that is.
Result<AddressSpace::PageWanted>
AddressSpace::answer(VirtAddr page, FaultAccess wanted, FreshPage& fresh, Work& work) {
    Range const* const range = m_ranges.find(page);
    if (range == nullptr) {
        return Error::not_found;
    }
    if (range->kind == RangeKind::guard || !permits(range->access, wanted.write, wanted.execute)) {
        return Error::permission_denied;
    }
    if (auto const found = m_table.translate(page)) {
        if (permits(found->leaf.access, wanted.write, wanted.execute)) {
            // Somebody was quicker, or this processor remembers fewer rights than there are now.
            if (m_owner == Owner::kernel || m_was_active) {
                hal::Mmu::flush(page, page_size);
                ++m_statistics.flushes;
            }
            ++m_statistics.stale;
            return PageWanted{};
        }
        return widen(*range, *found, page, fresh, work);
    }
    switch (range->kind) {
    case RangeKind::zero:
        return fill_zero(*range, page, fresh, work);
    case RangeKind::object:
        return fill_from_object(*range, page, wanted.write, fresh, work);
    case RangeKind::guard:
    case RangeKind::device:
    case RangeKind::pinned:
    case RangeKind::boot:
        return Error::not_found;
    }
    UNREACHABLE();
}

Result<AddressSpace::PageWanted>
AddressSpace::fill_zero(Range const& range, VirtAddr page, FreshPage& fresh, Work& work) {
    unsigned level = std::min({range.level_max, hal::Mmu::highest_leaf_level(), fresh.level_max});
    for (; level > 0; --level) {
        VirtAddr const base = align_down(page, Table::span(level));
        bool const fits = base >= range.base && range.contains(base) &&
                          Table::span(level).value <= (range.end() - base).value &&
                          m_table.is_free(base, level);
        if (fits) {
            break;
        }
    }
    bool const is_made = fresh.is(PageWanted::Kind::zeros) && fresh.frame != PhysAddr{} &&
                         fresh.made.level == Table::order(level);
    if (!is_made) {
        return PageWanted{.kind = PageWanted::Kind::zeros, .level = level};
    }
    VirtAddr const base = align_down(page, Table::span(level));
    TRY(m_table.map(base, make_leaf(range, fresh.frame, range.access), level, work.stock));
    fresh.take();
    m_statistics.large_pages += level > 0 ? 1 : 0;
    ++m_statistics.zeroed;
    return PageWanted{};
}

/// A write to a page that this space will not share makes the copy at once.
Result<AddressSpace::PageWanted> AddressSpace::fill_from_object(
    Range const& range, VirtAddr page, bool write, FreshPage& fresh, Work& work) {
    PageWanted wanted{
        .kind = PageWanted::Kind::object,
        .object = range.object,
        .number = range.object_page + (page - range.base) / page_size,
        .copies = write && range.sharing == Sharing::own};
    bool const is_made = fresh.is(PageWanted::Kind::object) && fresh.frame != PhysAddr{} &&
                         fresh.made.object == wanted.object && fresh.made.number == wanted.number &&
                         fresh.made.copies == wanted.copies;
    if (!is_made) {
        range.object->retain();
        return wanted;
    }
    // A page of the object itself has the object as another owner.
    bool const may_write =
        wanted.copies || range.sharing == Sharing::shared || range.access != PageAccess::read_write;
    PageAccess const access = may_write ? range.access : PageAccess::read;
    TRY(m_table.map(page, make_leaf(range, fresh.frame, access), 0, work.stock));
    fresh.take();
    ++(wanted.copies ? m_statistics.copied : m_statistics.from_object);
    return PageWanted{};
}

/// Gives a leaf the right that its range permits and it lacks: because others had a share in the
/// page, which is copied if they still have; because the page was withheld for a while; or because
/// the range's rights have just changed.
Result<AddressSpace::PageWanted> AddressSpace::widen(
    Range const& range, Translation found, VirtAddr page, FreshPage& fresh, Work& work) {
    using enum PageWanted::Kind;
    bool const asks = range.access == PageAccess::read_write && owns_frames(range) &&
                      range.sharing == Sharing::own && !mutant(Mutant::spaces_copy_on_write);
    if (asks && found.level != 0) {
        bool const is_known =
            fresh.is(owners, found.leaf.frame) && fresh.made.sharings == m_sharings;
        if (!is_known) {
            return PageWanted{
                .kind = owners,
                .level = found.level,
                .source = found.leaf.frame,
                .sharings = m_sharings};
        }
        if (fresh.has_owners) {
            // Of a large page only the small one that is written to is copied.
            sync::note_edge(trace::Edge::large_page_split);
            TRY(m_table.split_at(page, work.batch, work.stock));
            TRY(m_table.split_at(page + page_size, work.batch, work.stock));
            found = *m_table.translate(page);
            CHECK(found.level == 0);
        }
    }
    Leaf leaf = found.leaf;
    leaf.access = range.access;
    bool const copies = asks && found.level == 0 && m_frames->is_shared(leaf.frame, 0);
    if (!copies) {
        m_table.rewrite(
            found.page, Table::span(found.level), work.batch, [&](VirtAddr, Leaf& now, unsigned) {
                now = leaf;
                return true;
            });
        ++m_statistics.reused;
        return PageWanted{};
    }
    if (!fresh.is(copy, found.leaf.frame) || fresh.frame == PhysAddr{}) {
        m_frames->share(found.leaf.frame, 0); // so that nobody changes it, or gives it back
        return PageWanted{.kind = copy, .source = found.leaf.frame};
    }
    leaf.frame = fresh.take();
    work.batch.note(found.page, page_size);
    disturb(work);
    m_table.replace(found.page, 0, leaf, work.batch);
    work.batch.release(found.leaf.frame, 0);
    ++m_statistics.copied;
    return PageWanted{};
}

/// Where the kernel may touch `address` of this space under the lock. Errors: busy (the page has to
/// be made, or to get a right, first).
Result<std::byte*> AddressSpace::reach_page(VirtAddr address, bool write) {
    auto const found = m_table.translate(address);
    Range const* const range = m_ranges.find(address);
    if (range != nullptr && range->kind == RangeKind::device) {
        return Error::not_supported; // registers are no memory to copy
    }
    if (!found || range == nullptr || !permits(found->leaf.access, write, false)) {
        return Error::busy;
    }
    auto* const place = static_cast<std::byte*>(hal::Mmu::view(m_root, address));
    CHECK(place != nullptr);
    return place;
}

/// Calls touch(place) under the lock, where `place` is what `address` leads to.
template<class Touch>
Result<void> AddressSpace::with_page(VirtAddr address, bool write, Touch&& touch) {
    TRY(check_bounds(align_down(address, page_size), page_size));
    while (true) {
        Result<void> outcome{};
        {
            sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
            auto const place = reach_page(address, write);
            if (place) {
                touch(place.value());
            }
            outcome = place ? Result<void>{} : Result<void>{place.error()};
        }
        if (outcome || outcome.error() != Error::busy) {
            return outcome;
        }
        TRY(resolve(address, {.write = write}));
    }
}

Result<void> AddressSpace::copy_to(VirtAddr target, std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
        // By way of the stack: the caller's buffer may fault, which it must not do under the lock.
        std::byte piece[copy_piece_bytes];
        usize left = page_size.value - target.value % page_size.value;
        left += mutant(Mutant::spaces_copy_past_page) ? 8 : 0;
        usize const count = std::min({left, bytes.size(), sizeof(piece)});
        std::copy_n(bytes.begin(), count, piece);
        TRY(with_page(target, true, [&](std::byte* place) { std::copy_n(piece, count, place); }));
        bytes = bytes.subspan(count);
        target += Bytes{count};
    }
    return {};
}

Result<void> AddressSpace::copy_from(std::span<std::byte> bytes, VirtAddr source) {
    while (!bytes.empty()) {
        std::byte piece[copy_piece_bytes];
        usize const left = page_size.value - source.value % page_size.value;
        usize const count = std::min({left, bytes.size(), sizeof(piece)});
        TRY(with_page(source, false, [&](std::byte* place) { std::copy_n(place, count, piece); }));
        std::copy_n(piece, count, bytes.begin());
        bytes = bytes.subspan(count);
        source += Bytes{count};
    }
    return {};
}

} // namespace twofold::memory
