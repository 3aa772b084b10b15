// Making address spaces and changing their ranges. Faults: fault.cpp; cloning and promotion:
// clone.cpp; the walker: check.cpp.
#include "core/memory/space/address_space.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

using hal::Mmu;

constexpr unsigned top_level = Mmu::levels - 1;

std::span<TableEntry> root_entries(PhysAddr root) {
    return {frame_object<TableEntry>(root), Mmu::entries};
}

bool lies_in(hal::Window const& window, VirtAddr base, Bytes size) {
    return window.contains(base) && size.value <= window.size.value - (base - window.base).value;
}

} // namespace

AddressSpace::AddressSpace(
    SharedFrames& frames,
    Table table,
    PhysAddr kernel_root,
    Owner owner,
    hal::KernelLayout const& windows)
    : m_frames(&frames),
      m_table(table),
      m_ranges(frames),
      m_kernel_root(kernel_root),
      m_owner(owner),
      m_windows(windows) {}

AddressSpace::AddressSpace(AddressSpace&& other)
    : m_frames(other.m_frames),
      m_table(other.m_table),
      m_ranges(std::move(other.m_ranges)),
      m_kernel_root(other.m_kernel_root),
      m_owner(other.m_owner),
      m_windows(other.m_windows),
      m_statistics(other.m_statistics),
      m_is_empty(std::exchange(other.m_is_empty, true)),
      m_was_active(other.m_was_active.load(relaxed)) {}

AddressSpace::~AddressSpace() {
    if (!m_is_empty) {
        clear();
    }
}

Result<AddressSpace> AddressSpace::create(SharedFrames& frames, PhysAddr kernel_root) {
    PhysAddr const root = TRY(frames.allocate(0));
    auto const own = root_entries(root);
    auto const kernel = root_entries(kernel_root);
    for (unsigned index = 0; index < Mmu::entries; ++index) {
        own[index].store(kernel[index].load(relaxed), relaxed);
    }
    return AddressSpace(
        frames, Table(frames, root, Table::Root::free), kernel_root, Owner::user,
        hal::Layout::current());
}

Result<AddressSpace>
AddressSpace::adopt(SharedFrames& frames, PhysAddr root, hal::KernelLayout const& windows) {
    AddressSpace space(
        frames, Table(frames, root, Table::Root::fixed), root, Owner::kernel, windows);
    for (hal::Window const& window : {windows.heap, windows.stacks, windows.views}) {
        TRY(space.adopt_window(window));
    }
    return space;
}

/// Makes the window's entries in the root, which from now on never change, and takes what is mapped
/// there for ranges of kind boot.
Result<void> AddressSpace::adopt_window(hal::Window const& window) {
    u64 const span = Table::span(top_level).value;
    u64 const last = window.base.value + (window.size.value - 1);
    for (u64 slot = align_down(window.base.value, span); slot <= last; slot += span) {
        TRY(m_table.fix_root_entry({slot}));
    }
    Result<void> outcome{};
    Range run{.base = {}, .size = {}, .kind = RangeKind::boot, .name = "start-up"};
    auto const add_run = [&] {
        if (run.size.value != 0 && outcome) {
            auto const added = m_ranges.insert(run);
            outcome = added ? Result<void>{} : Result<void>{added.error()};
        }
    };
    m_table.for_each_leaf(window.base, window.size, [&](VirtAddr page, Leaf leaf, unsigned level) {
        if (run.size.value == 0 || run.end() != page || run.access != leaf.access) {
            add_run();
            run.base = page;
            run.size = {};
            run.access = leaf.access;
        }
        run.size += Table::span(level);
    });
    add_run();
    return outcome;
}

Result<void> AddressSpace::check_bounds(VirtAddr base, Bytes size) const {
    bool const is_whole =
        is_aligned(base, page_size) && is_aligned(size.value, page_size.value) && size.value != 0;
    if (!is_whole || base.value + (size.value - 1) < base.value) {
        return Error::invalid_argument;
    }
    VirtAddr const last = base + (size - Bytes{1});
    if (!Mmu::is_canonical(base) || !Mmu::is_canonical(last) ||
        (base < lower_half_end) != (last < lower_half_end)) {
        return Error::out_of_range;
    }
    if (m_owner == Owner::user) {
        return check_user_bounds(base, size);
    }
    bool const is_ours = lies_in(m_windows.heap, base, size) ||
                         lies_in(m_windows.stacks, base, size) ||
                         lies_in(m_windows.views, base, size);
    return is_ours ? Result<void>{} : Result<void>{Error::permission_denied};
}

/// The lower half, but for its beginning and the slots of the root that the kernel has there.
Result<void> AddressSpace::check_user_bounds(VirtAddr base, Bytes size) const {
    if (base < user_first || base >= lower_half_end) {
        return Error::permission_denied;
    }
    unsigned const first = Mmu::index(base, top_level);
    unsigned const last = Mmu::index(base + (size - Bytes{1}), top_level);
    for (hal::Window const& window :
         {m_windows.linear, m_windows.heap, m_windows.stacks, m_windows.views}) {
        if (window.base >= lower_half_end) {
            continue;
        }
        VirtAddr const window_last = window.base + (window.size - Bytes{1});
        if (first <= Mmu::index(window_last, top_level) &&
            Mmu::index(window.base, top_level) <= last) {
            return Error::permission_denied;
        }
    }
    return {};
}

FlushBatch::Reach AddressSpace::reach() const {
    return m_owner == Owner::kernel || m_was_active.load(relaxed) ? FlushBatch::Reach::cached
                                                                  : FlushBatch::Reach::nowhere;
}

void AddressSpace::finish(FlushBatch& batch) {
    batch.finish();
    m_statistics.flushes += batch.flushes();
}

bool AddressSpace::owns_frames(Range const& range) const {
    return range.kind == RangeKind::zero || range.kind == RangeKind::object ||
           range.kind == RangeKind::pinned;
}

/// What a leaf of `range` may say now: a page that others own too is not written to.
PageAccess AddressSpace::leaf_access(Range const& range, PhysAddr block, unsigned order) const {
    bool const must_copy = range.access == PageAccess::read_write && owns_frames(range) &&
                           range.sharing == Sharing::own && m_frames->is_shared(block, order);
    return must_copy ? PageAccess::read : range.access;
}

Leaf AddressSpace::make_leaf(Range const& range, PhysAddr frame, PageAccess access) const {
    bool const is_kernel = m_owner == Owner::kernel;
    return {frame, access, !is_kernel, range.cache, is_kernel};
}

Result<Range*> AddressSpace::add_range(Range const& range) {
    TRY(check_bounds(range.base, range.size));
    return m_ranges.insert(range);
}

Result<void> AddressSpace::map_zero(
    VirtAddr base, Bytes size, PageAccess access, unsigned level_max, std::string_view name) {
    TRY(add_range(
        {.base = base,
         .size = size,
         .kind = RangeKind::zero,
         .access = access,
         .level_max = level_max,
         .name = name}));
    return {};
}

Result<void> AddressSpace::map_guard(VirtAddr base, Bytes size, std::string_view name) {
    TRY(add_range({.base = base, .size = size, .kind = RangeKind::guard, .name = name}));
    return {};
}

Result<void> AddressSpace::map_pinned(
    VirtAddr base, Bytes size, PageAccess access, unsigned level_max, std::string_view name) {
    TRY(add_range(
        {.base = base,
         .size = size,
         .kind = RangeKind::pinned,
         .access = access,
         .level_max = level_max,
         .name = name}));
    return {};
}

Result<void> AddressSpace::map_object(
    VirtAddr base,
    Bytes size,
    MemoryObject& object,
    u64 first_page,
    PageAccess access,
    Sharing sharing,
    std::string_view name) {
    TRY(check_bounds(base, size));
    u64 const pages = size / page_size;
    if (first_page > object.pages() || pages > object.pages() - first_page) {
        return Error::out_of_range;
    }
    TRY(add_range(
        {.base = base,
         .size = size,
         .kind = RangeKind::object,
         .access = access,
         .sharing = sharing,
         .object = &object,
         .object_page = first_page,
         .name = name}));
    object.retain();
    return {};
}

Result<void> AddressSpace::map_device(
    VirtAddr base,
    Bytes size,
    PhysAddr device,
    PageAccess access,
    hal::CacheMode cache,
    std::string_view name) {
    constexpr u64 physical_end = u64{1} << 52;
    if (!is_aligned(device, page_size) || device.value >= physical_end ||
        size.value > physical_end - device.value) {
        return Error::invalid_argument;
    }
    Range* const range = TRY(add_range(
        {.base = base,
         .size = size,
         .kind = RangeKind::device,
         .access = access,
         .cache = cache,
         .device = device,
         .name = name}));
    for (Bytes done{}; done < size;) {
        unsigned level = Mmu::highest_leaf_level();
        u64 const place = (base + done).value | (device + done).value;
        while (!is_aligned(place, Table::span(level).value) || size - done < Table::span(level)) {
            --level; // ends at 0: everything is page-aligned
        }
        Result<void> const mapped =
            m_table.map(base + done, make_leaf(*range, device + done, access), level);
        if (!mapped) {
            FlushBatch batch(*m_frames, reach());
            drop_range(*range, batch);
            finish(batch);
            return mapped;
        }
        done += Table::span(level);
    }
    return {};
}

Range* AddressSpace::pinned_range(VirtAddr base, Bytes size) const {
    Range* const range = m_ranges.find(base);
    bool const holds = range != nullptr && range->kind == RangeKind::pinned &&
                       size.value <= (range->end() - base).value;
    return holds ? range : nullptr;
}

/// Commits one page, large where it may be. `done` grows by its size.
Result<void> AddressSpace::commit_next(Range const& range, VirtAddr base, Bytes size, Bytes& done) {
    unsigned level = std::min(range.level_max, Mmu::highest_leaf_level());
    while (level > 0 && (!is_aligned(base, Table::span(level)) || size < Table::span(level) ||
                         !m_table.is_free(base, level))) {
        --level;
    }
    while (true) {
        auto const block = m_frames->allocate_zeroed(Table::order(level));
        if (!block) {
            if (level == 0) {
                return block.error();
            }
            --level; // many small frames may be left where no large one is
            continue;
        }
        Leaf const leaf = make_leaf(range, block.value(), range.access);
        if (Result<void> const mapped = m_table.map(base, leaf, level); !mapped) {
            m_frames->release(block.value(), Table::order(level));
            return mapped;
        }
        m_statistics.large_pages += level > 0 ? 1 : 0;
        done += Table::span(level);
        return {};
    }
}

Result<void> AddressSpace::commit(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    Range const* const range = pinned_range(base, size);
    if (range == nullptr) {
        return Error::not_found;
    }
    for (Bytes done{}; done < size;) {
        Result<void> const next = commit_next(*range, base + done, size - done, done);
        if (!next) {
            if (done.value != 0) {
                FlushBatch batch(*m_frames, reach());
                unmap_pages(*range, base, done, batch);
                finish(batch);
            }
            return next;
        }
    }
    return {};
}

/// Divides the large page that crosses `boundary`, if one does. Without a frame for the table one
/// of its own serves, the one at `inside`, which nobody will miss; it is returned.
PhysAddr AddressSpace::split_pinned(VirtAddr boundary, VirtAddr inside, FlushBatch& batch) {
    auto const found = m_table.translate(boundary);
    bool const crosses = found && found->page != boundary;
    if (!crosses || m_table.split_at(boundary, batch)) {
        return {};
    }
    PhysAddr const borrowed = m_table.translate(inside)->address;
    CHECK(found->level == 1 && align_down(inside, Table::span(1)) == found->page);
    m_table.split_with(boundary, borrowed, batch);
    return borrowed;
}

Result<void> AddressSpace::decommit(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    Range const* const range = pinned_range(base, size);
    if (range == nullptr) {
        return Error::not_found;
    }
    FlushBatch batch(*m_frames, reach());
    PhysAddr const borrowed[] = {
        split_pinned(base, base, batch),
        split_pinned(base + size, base + (size - page_size), batch)};
    m_table.unmap(base, size, batch, [&](VirtAddr, Leaf leaf, unsigned level) {
        bool const is_table = leaf.frame == borrowed[0] || leaf.frame == borrowed[1];
        if (!is_table) {
            batch.release(leaf.frame, Table::order(level));
        }
    });
    finish(batch);
    return {};
}

/// Cuts leaves and ranges, so that none crosses an end of [base, base + size). Leaves first: where
/// this fails half way, they may be smaller than their range asks for, but never cross its end.
Result<void> AddressSpace::split_at_ends(VirtAddr base, Bytes size, FlushBatch& batch) {
    VirtAddr const ends[] = {base, base + size};
    for (VirtAddr const boundary : ends) {
        TRY(m_table.split_at(boundary, batch));
    }
    for (VirtAddr const boundary : ends) {
        TRY(m_ranges.split(boundary));
    }
    return {};
}

/// Takes the leaves of a part of `range` away, and this space's share of their frames.
void AddressSpace::unmap_pages(Range const& range, VirtAddr base, Bytes size, FlushBatch& batch) {
    bool const owned = owns_frames(range);
    m_table.unmap(base, size, batch, [&](VirtAddr, Leaf leaf, unsigned level) {
        if (owned) {
            batch.release(leaf.frame, Table::order(level));
        }
    });
}

void AddressSpace::drop_range(Range& range, FlushBatch& batch) {
    unmap_pages(range, range.base, range.size, batch);
    MemoryObject* const object = range.object;
    m_ranges.remove(range);
    if (object != nullptr) {
        MemoryObject::release(*object);
    }
}

Result<void> AddressSpace::unmap(VirtAddr base, Bytes size) {
    TRY(check_bounds(base, size));
    VirtAddr const last = base + (size - Bytes{1});
    Range* range = m_ranges.lower_bound(base);
    if (range == nullptr || range->base > last) {
        return Error::not_found;
    }
    for (; range != nullptr && range->base <= last; range = RangeSet::next(*range)) {
        if (range->kind == RangeKind::boot) {
            return Error::permission_denied;
        }
    }
    FlushBatch batch(*m_frames, reach());
    TRY(split_at_ends(base, size, batch));
    range = m_ranges.lower_bound(base);
    while (range != nullptr && range->base <= last) {
        Range* const following = RangeSet::next(*range);
        drop_range(*range, batch);
        range = following;
    }
    finish(batch);
    return {};
}

/// Whether ranges cover all of [base, base + size), with rights that may change if that is asked.
Result<void> AddressSpace::require_ranges(VirtAddr base, Bytes size, bool changeable) const {
    VirtAddr const last = base + (size - Bytes{1});
    VirtAddr covered = base;
    for (Range const* range = m_ranges.find(base); covered <= last;
         range = m_ranges.find(covered)) {
        if (range == nullptr) {
            return Error::not_found;
        }
        if (changeable && (range->kind == RangeKind::guard || range->kind == RangeKind::boot)) {
            return Error::permission_denied;
        }
        covered = range->end();
    }
    return {};
}

Result<void> AddressSpace::protect(VirtAddr base, Bytes size, PageAccess access) {
    TRY(check_bounds(base, size));
    TRY(require_ranges(base, size, true));
    FlushBatch batch(*m_frames, reach());
    TRY(split_at_ends(base, size, batch));
    VirtAddr const last = base + (size - Bytes{1});
    for (Range* range = m_ranges.find(base); range != nullptr && range->base <= last;
         range = RangeSet::next(*range)) {
        range->access = access;
        m_table.rewrite(range->base, range->size, batch, [&](VirtAddr, Leaf& leaf, unsigned level) {
            PageAccess const now = leaf_access(*range, leaf.frame, Table::order(level));
            return std::exchange(leaf.access, now) != now;
        });
    }
    finish(batch);
    m_ranges.merge_around(*m_ranges.find(base));
    m_ranges.merge_around(*m_ranges.find(last));
    return {};
}

void AddressSpace::clear() {
    if (m_owner == Owner::kernel) {
        // The tables stay in use; only what this object kept about them goes.
        while (Range* const range = m_ranges.first()) {
            m_ranges.remove(*range);
        }
        m_is_empty = true;
        return;
    }
    CHECK(!is_active());
    FlushBatch batch(*m_frames, FlushBatch::Reach::nowhere);
    while (Range* const range = m_ranges.first()) {
        drop_range(*range, batch);
    }
    batch.finish();
    CHECK(m_table.tables() == 0);
    m_frames->release(m_table.root(), 0);
    m_is_empty = true;
}

} // namespace twofold::memory
