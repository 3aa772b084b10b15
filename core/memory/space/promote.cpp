// Small pages gathered into large ones, while others use them.
//
// A block is copied in three parts. Its pages lose the right to be written to, a few at a time, and
// get the promotion as another owner; each few are copied without the lock. Whoever writes
// meanwhile gets a copy, as after a clone, and whoever changes anything in the block disturbs the
// promotion, which then gives up. If nobody has, the large page takes the place of all.
#include "core/memory/space/address_space.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

/// Pages that one step gathers.
constexpr usize gathered_at_once = 8;

/// The frames of the small pages of a block, listed in a frame.
std::span<PhysAddr> listed(PhysAddr list) {
    return {frame_object<PhysAddr>(list), page_size.value / sizeof(PhysAddr)};
}

} // namespace

struct AddressSpace::Promotion {
    VirtAddr block{};
    PhysAddr list{};
    usize gathered = 0;
    bool is_disturbed = false;
    Promotion* next = nullptr;
};

/// Tells the promotions of others about what has been changed and not yet flushed.
void AddressSpace::disturb(Work const& work) {
    for (Promotion* each = m_promotions; each != nullptr; each = each->next) {
        if (each != work.promotion &&
            work.batch.has_noted(each->block, Table::span(large_page_level))) {
            each->is_disturbed = true;
        }
    }
}

Result<u64> AddressSpace::promote(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    TRY(require_ranges(base, size, Must::exist));
    if (hal::Mmu::highest_leaf_level() < large_page_level) {
        return u64{0};
    }
    u64 made = 0;
    Bytes const span = Table::span(large_page_level);
    VirtAddr const end = base + size;
    for (VirtAddr block = align_up(base, span); block < end && end - block >= span; block += span) {
        made += TRY(collapse(block)) ? 1 : 0;
    }
    return made;
}

/// Whether there are 512 pages of one range at `block`, which may be a large one: stacks may not,
/// as what a processor needs to take a fault must always be writable.
bool AddressSpace::can_collapse(VirtAddr block) {
    Range const* const range = m_ranges.find(block);
    return range != nullptr &&
           (range->kind == RangeKind::zero ||
            (range->kind == RangeKind::pinned && range->level_max >= large_page_level)) &&
           range->end() - block >= Table::span(large_page_level) &&
           m_table.is_full(block, large_page_level);
}

/// Copies the small pages at `block` into one large one, if all are there and nobody else's. A
/// fresh block even where they happen to lie side by side: a source takes back what it gave.
Result<bool> AddressSpace::collapse(VirtAddr block) {
    Work work(*m_frames);
    Promotion promotion{.block = block};
    work.promotion = &promotion;
    bool const starts = TRY(attempt(work, [&]() -> Result<bool> {
        m_lock.assert_held();
        return can_collapse(block);
    }));
    if (!starts) {
        return false;
    }
    unsigned const order = Table::order(large_page_level);
    PhysAddr const large = TRY(m_frames->allocate(order));
    auto const list = m_frames->allocate(0);
    if (!list) {
        m_frames->release(large, order);
        return list.error();
    }
    promotion.list = list.value();
    bool const done = copy_and_replace(promotion, large, work);
    for (PhysAddr const frame : listed(promotion.list).first(promotion.gathered)) {
        m_frames->release(frame, 0); // the promotion's share
        if (done) {
            m_frames->release(frame, 0); // the space's
        }
    }
    m_frames->release(promotion.list, 0);
    if (!done) {
        m_frames->release(large, order);
    }
    return done;
}

/// True: `large` has taken the place of the small pages. Never fails for want of memory.
bool AddressSpace::copy_and_replace(Promotion& promotion, PhysAddr large, Work& work) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        promotion.next = std::exchange(m_promotions, &promotion);
    }
    Bytes const span = Table::span(large_page_level);
    Bytes copied{};
    while (copied < span) {
        auto const more = attempt(work, [&]() -> Result<Bytes> {
            m_lock.assert_held();
            return gather(promotion, promotion.block + copied, work);
        });
        if (!more) {
            break;
        }
        for (Bytes const end = copied + more.value(); copied < end; copied += page_size) {
            hal::Memory::copy_pages(
                hal::Memory::linear(large + copied),
                hal::Memory::linear(listed(promotion.list)[copied / page_size]), page_size);
        }
    }
    auto const done = attempt(work, [&]() -> Result<bool> {
        m_lock.assert_held();
        return complete(promotion, large, work);
    });
    return done.value();
}

/// Gathers the next few pages at `at`. Error::busy: one of them is not as it should be.
Result<Bytes> AddressSpace::gather(Promotion& promotion, VirtAddr at, Work& work) {
    if (promotion.is_disturbed || !can_collapse(promotion.block)) {
        return Error::busy;
    }
    PageAccess const access = m_ranges.find(at)->access;
    PageAccess const lowered = access == PageAccess::read_write ? PageAccess::read : access;
    bool good = true;
    Bytes const size = page_size * gathered_at_once;
    m_table.rewrite(at, size, work.batch, [&](VirtAddr, Leaf& leaf, unsigned level) {
        bool const may = leaf.access == access || leaf.access == PageAccess::read; // withheld
        good = good && level == 0 && may && !m_frames->is_shared(leaf.frame, 0);
        if (!good) {
            return false;
        }
        m_frames->share(leaf.frame, 0);
        listed(promotion.list)[promotion.gathered++] = leaf.frame;
        return std::exchange(leaf.access, lowered) != lowered;
    });
    ++m_sharings;
    return good ? Result<Bytes>(size) : Result<Bytes>(Error::busy);
}

/// Ends a promotion; puts the large page in its place if all was gathered and nothing has changed.
bool AddressSpace::complete(Promotion& promotion, PhysAddr large, Work& work) {
    Promotion** link = &m_promotions;
    while (*link != &promotion) {
        CHECK(*link != nullptr);
        link = &(*link)->next;
    }
    *link = promotion.next;
    bool const whole = promotion.gathered == Table::entries && !promotion.is_disturbed &&
                       can_collapse(promotion.block);
    if (whole) {
        Range const& range = *m_ranges.find(promotion.block);
        work.batch.note(promotion.block, page_size);
        disturb(work); // another one of the same block
        m_table.replace_table(
            promotion.block, large_page_level, make_leaf(range, large, range.access), work.batch);
        ++m_statistics.large_pages;
    }
    return whole;
}

} // namespace twofold::memory
