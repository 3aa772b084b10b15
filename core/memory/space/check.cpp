// The walker: ranges and tables compared, every leaf looked at.
#include "core/memory/space/address_space.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

using hal::Mmu;

/// Whether a leaf says what its range permits, and no more than its owners do.
bool is_sound(
    Range const& range, Leaf const& leaf, VirtAddr page, bool is_owned_elsewhere, bool owns) {
    bool const withheld = leaf.access == PageAccess::read &&
                          range.access == PageAccess::read_write && owns &&
                          range.sharing == Sharing::own;
    bool const device =
        range.kind != RangeKind::device || leaf.frame == range.device + (page - range.base);
    bool const may_write = leaf.access != PageAccess::read_write ||
                           range.sharing == Sharing::shared || !owns || !is_owned_elsewhere;
    return (leaf.access == range.access || withheld) && leaf.cache == range.cache && device &&
           may_write && range.kind != RangeKind::guard;
}

} // namespace

bool AddressSpace::has_leaf(VirtAddr first, Bytes size) {
    std::optional<Translation> found;
    for (Bytes done{}; done < size && !found;) {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        done += m_table.next_leaf(first + done, size - done, found, step_budget);
    }
    return found.has_value();
}

/// Whether nothing is mapped in [first, end), the kernel's own part of the root left out.
bool AddressSpace::is_unmapped(VirtAddr first, VirtAddr end) {
    Bytes const span = Table::span(Mmu::levels - 1);
    auto const own = std::span(frame_object<TableEntry>(m_root), usize{Mmu::entries});
    auto const kernel = std::span(frame_object<TableEntry>(m_kernel_root), usize{Mmu::entries});
    for (VirtAddr at = first; at < end;) {
        VirtAddr const slot_end = align_down(at, span) + span;
        Bytes const size = std::min(slot_end, end) - at;
        unsigned const slot = Mmu::index(at, Mmu::levels - 1);
        u64 const entry = own[slot].load(relaxed);
        bool const is_kernels = m_owner == Owner::user && entry == kernel[slot].load(relaxed);
        if (Mmu::is_present(entry) && !is_kernels && has_leaf(at, size)) {
            return false;
        }
        at += size;
    }
    return true;
}

Result<void> AddressSpace::check_range(Range const& range, SpaceCensus& census) {
    bool const owns = owns_frames(range);
    bool const is_kernel = m_owner == Owner::kernel;
    for (Bytes done{}; done < range.size;) {
        std::optional<Translation> found;
        {
            sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
            done += m_table.next_leaf(range.base + done, range.size - done, found, step_budget);
        }
        if (!found) {
            continue;
        }
        Leaf const& leaf = found->leaf;
        Bytes const size = Table::span(found->level);
        bool const elsewhere = owns && m_frames->is_shared(leaf.frame, Table::order(found->level));
        bool const sound = found->page >= range.base &&
                           size.value <= (range.end() - found->page).value &&
                           is_sound(range, leaf, found->page, elsewhere, owns) &&
                           leaf.user == !is_kernel && leaf.global == is_kernel;
        if (!sound) {
            return Error::corrupted;
        }
        census.pages += size / page_size;
        census.large_pages += found->level > 0 ? 1 : 0;
        done = found->page + size - range.base;
    }
    return {};
}

/// Looks at the ranges of [first, end) and at what lies between them.
Result<void> AddressSpace::check_part(VirtAddr first, VirtAddr end, SpaceCensus& census) {
    VirtAddr free_from = first;
    for (auto range = next_range(first); range && range->base < end;
         range = next_range(range->end())) {
        if (range->base < free_from || range->end() > end || !is_unmapped(free_from, range->base)) {
            return Error::corrupted;
        }
        free_from = range->end();
        ++census.ranges;
        TRY(check_range(*range, census));
    }
    return is_unmapped(free_from, end) ? Result<void>{} : Result<void>{Error::corrupted};
}

Result<SpaceCensus> AddressSpace::check() {
    SpaceCensus census{};
    if (m_owner == Owner::user) {
        TRY(check_part({}, lower_half_end, census));
    } else {
        for (hal::Window const& window : {m_windows.heap, m_windows.stacks, m_windows.views}) {
            TRY(check_part(window.base, window.base + window.size, census));
        }
    }
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    if (census.ranges != m_ranges.size()) {
        return Error::corrupted;
    }
    census.tables = m_table.tables();
    census.node_frames = m_ranges.frames();
    return census;
}

} // namespace twofold::memory
