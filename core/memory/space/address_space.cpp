// Making address spaces and adding ranges; finding things. Taking away and changing rights:
// change.cpp; pages of pinned ranges: commit.cpp; faults: fault.cpp; cloning: clone.cpp; promotion:
// promote.cpp; the walker: check.cpp.
#include "core/memory/space/address_space.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

using hal::Mmu;

constexpr unsigned top_level = Mmu::levels - 1;

std::span<TableEntry> root_entries(PhysAddr root) {
    return {frame_object<TableEntry>(root), Mmu::entries};
}

/// Pages that one step maps.
constexpr unsigned step_pages = 8;

/// Whether what a device's range shows can be physical addresses.
Result<void> check_device(Range const& range) {
    constexpr u64 physical_end = u64{1} << 52;
    bool const fits = is_aligned(range.device, page_size) && range.device.value < physical_end &&
                      range.size.value <= physical_end - range.device.value;
    return fits ? Result<void>{} : Result<void>{Error::invalid_argument};
}

bool lies_in(hal::Window const& window, VirtAddr base, Bytes size) {
    return window.contains(base) && size.value <= window.size.value - (base - window.base).value;
}

} // namespace

AddressSpace::AddressSpace(
    SharedFrames& frames,
    PhysAddr root,
    PhysAddr kernel_root,
    Owner owner,
    hal::KernelLayout const& windows)
    : m_frames(&frames),
      m_root(root),
      m_kernel_root(kernel_root),
      m_owner(owner),
      m_windows(windows),
      m_table(frames, root, owner == Owner::kernel ? Table::Root::fixed : Table::Root::free) {}

AddressSpace::AddressSpace(AddressSpace&& other)
    : m_frames(other.m_frames),
      m_root(other.m_root),
      m_kernel_root(other.m_kernel_root),
      m_owner(other.m_owner),
      m_windows(other.m_windows),
      m_is_empty(std::exchange(other.m_is_empty, true)),
      m_table(other.m_table),
      m_ranges(std::move(other.m_ranges)),
      m_statistics(other.m_statistics),
      m_was_active(other.m_was_active),
      m_sharings(other.m_sharings) {
    CHECK(other.m_promotions == nullptr);
}

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
    return AddressSpace(frames, root, kernel_root, Owner::user, hal::Layout::current());
}

Result<AddressSpace>
AddressSpace::adopt(SharedFrames& frames, PhysAddr root, hal::KernelLayout const& windows) {
    AddressSpace space(frames, root, root, Owner::kernel, windows);
    space.m_lock.assert_held(); // nobody else has it yet
    Work work(frames);
    for (hal::Window const& window : {windows.heap, windows.stacks, windows.views}) {
        TRY(space.adopt_window(window, work));
    }
    work.settle();
    return space;
}

/// Makes the window's entries in the root, which from now on never change, and takes what is mapped
/// there for ranges of kind boot.
Result<void> AddressSpace::adopt_window(hal::Window const& window, Work& work) {
    u64 const span = Table::span(top_level).value;
    u64 const last = window.base.value + (window.size.value - 1);
    for (u64 slot = align_down(window.base.value, span); slot <= last; slot += span) {
        TRY(m_table.fix_root_entry({slot}));
    }
    Result<void> outcome{};
    Range run{.base = {}, .size = {}, .kind = RangeKind::boot, .name = "start-up"};
    auto const add_run = [&] {
        m_lock.assert_held();
        if (run.size.value == 0 || !outcome) {
            return;
        }
        auto added = m_ranges.insert(run, work.stock);
        if (!added && work.stock.is_short()) {
            outcome = Table::prepare(work.stock);
            added = outcome ? m_ranges.insert(run, work.stock) : Result<Range*>(outcome.error());
        }
        outcome = added ? Result<void>{} : Result<void>{added.error()};
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

void AddressSpace::Work::settle() {
    batch.finish();
    while (!dropped.empty()) {
        MemoryObject& object = *dropped.back();
        dropped.pop_back();
        MemoryObject::release(object);
    }
}

/// A space that was never active is cached nowhere.
void AddressSpace::begin_step(Work& work) {
    bool const cached = m_owner == Owner::kernel || m_was_active;
    work.batch.set_reach(cached ? FlushBatch::Reach::cached : FlushBatch::Reach::nowhere);
}

void AddressSpace::end_step(Work& work) {
    disturb(work);
    work.batch.flush();
    m_statistics.flushes += work.batch.take_flushes();
}

/// Under the lock, so that whoever changes an entry either sees that the space is active or has
/// changed it before anything is cached.
void AddressSpace::activate() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        m_was_active = true;
    }
    hal::Mmu::activate(m_root);
}

SpaceStatistics AddressSpace::statistics() const {
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    return m_statistics;
}

std::optional<Translation> AddressSpace::translate(VirtAddr address) {
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    return m_table.translate(address);
}

std::optional<Range> AddressSpace::find(VirtAddr address) const {
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    Range const* const range = m_ranges.find(address);
    return range != nullptr ? std::optional(*range) : std::nullopt;
}

/// The first range that ends after `from`.
std::optional<Range> AddressSpace::next_range(VirtAddr from) const {
    sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
    Range const* const range = m_ranges.lower_bound(from);
    return range != nullptr ? std::optional(*range) : std::nullopt;
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

bool AddressSpace::owns_frames(Range const& range) const {
    return range.kind == RangeKind::zero || range.kind == RangeKind::object ||
           range.kind == RangeKind::pinned;
}

/// What a leaf of `range` may say now: a page that others own too is not written to. A large page
/// of which that is not known keeps what it has; a write to it looks closer.
PageAccess AddressSpace::leaf_access(Range const& range, Leaf const& leaf, unsigned level) const {
    bool const may_have_owners = range.access == PageAccess::read_write && owns_frames(range) &&
                                 range.sharing == Sharing::own &&
                                 leaf.access != PageAccess::read_write;
    bool const has_owners = level == 0 ? may_have_owners && m_frames->is_shared(leaf.frame, 0)
                                       : may_have_owners && m_owner == Owner::user;
    return has_owners ? PageAccess::read : range.access;
}

Leaf AddressSpace::make_leaf(Range const& range, PhysAddr frame, PageAccess access) const {
    bool const is_kernel = m_owner == Owner::kernel;
    return {frame, access, !is_kernel, range.cache, is_kernel};
}

Result<void> AddressSpace::add_range(Range const& range) {
    TRY(check_bounds(range.base, range.size));
    Work work(*m_frames);
    return attempt(work, [&]() -> Result<void> {
        m_lock.assert_held();
        TRY(m_ranges.insert(range, work.stock));
        if (range.object != nullptr) {
            range.object->retain();
        }
        return {};
    });
}

Result<void> AddressSpace::map_zero(
    VirtAddr base, Bytes size, PageAccess access, unsigned level_max, std::string_view name) {
    return add_range(
        {.base = base,
         .size = size,
         .kind = RangeKind::zero,
         .access = access,
         .level_max = level_max,
         .name = name});
}

Result<void> AddressSpace::map_guard(VirtAddr base, Bytes size, std::string_view name) {
    return add_range({.base = base, .size = size, .kind = RangeKind::guard, .name = name});
}

Result<void> AddressSpace::map_pinned(
    VirtAddr base, Bytes size, PageAccess access, unsigned level_max, std::string_view name) {
    return add_range(
        {.base = base,
         .size = size,
         .kind = RangeKind::pinned,
         .access = access,
         .level_max = level_max,
         .name = name});
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
    return add_range(
        {.base = base,
         .size = size,
         .kind = RangeKind::object,
         .access = access,
         .sharing = sharing,
         .object = &object,
         .object_page = first_page,
         .name = name});
}

Result<void> AddressSpace::map_device(
    VirtAddr base,
    Bytes size,
    PhysAddr device,
    PageAccess access,
    hal::CacheMode cache,
    std::string_view name) {
    Range const range{
        .base = base,
        .size = size,
        .kind = RangeKind::device,
        .access = access,
        .cache = cache,
        .device = device,
        .name = name};
    TRY(check_device(range));
    TRY(add_range(range));
    Work work(*m_frames);
    return map_device_pages(range, work);
}

/// Maps all of a device's range that has just been added; without memory for it the range goes.
Result<void> AddressSpace::map_device_pages(Range const& range, Work& work) {
    Result<void> const mapped =
        sweep(work, range.base, range.size, [&](VirtAddr at, Bytes) -> Result<Bytes> {
            m_lock.assert_held();
            return map_device_next(range, at, work);
        });
    if (!mapped) {
        take_away(range.base, range.size).value(); // whole: nothing to cut
    }
    return mapped;
}

/// A few pages from `at` on, each the largest that fits. What another processor has taken away
/// meanwhile is left alone.
Result<Bytes> AddressSpace::map_device_next(Range const& device, VirtAddr at, Work& work) {
    Range const* const range = m_ranges.find(at);
    Bytes const left = device.end() - at;
    bool const is_ours = range != nullptr && range->kind == RangeKind::device &&
                         range->device + (at - range->base) == device.device + (at - device.base);
    if (!is_ours) {
        return left;
    }
    Bytes const size = std::min(left, range->end() - at);
    Bytes done{};
    for (unsigned pages = 0; pages < step_pages && done < size; ++pages) {
        VirtAddr const page = at + done;
        PhysAddr const frame = range->device + (page - range->base);
        unsigned level = Mmu::highest_leaf_level();
        while (!is_aligned(page.value | frame.value, Table::span(level).value) ||
               size - done < Table::span(level)) {
            --level; // ends at 0: everything is page-aligned
        }
        Result<void> const mapped =
            m_table.map(page, make_leaf(*range, frame, range->access), level, work.stock);
        if (!mapped) {
            return done.value != 0 ? Result<Bytes>(done) : Result<Bytes>(mapped.error());
        }
        done += Table::span(level);
    }
    return done;
}

Result<VirtAddr>
AddressSpace::find_gap(VirtAddr first, VirtAddr end, Bytes size, Bytes alignment) const {
    GapSearch search{.from = first, .end = end, .size = size, .alignment = alignment};
    while (!search.is_over) {
        sync::SpinLockGuard const guard(m_lock, sync::interrupts_stay_on);
        if (auto const found = m_ranges.find_gap(search, step_ranges)) {
            return *found;
        }
    }
    return Error::no_space;
}

Result<VirtAddr> AddressSpace::map_somewhere(Placement const& placement, Range range) {
    Bytes const before = placement.guard_below + placement.offset;
    Bytes const around = before + placement.guard_above;
    bool const has_size = range.size.value != 0 && is_aligned(range.size.value, page_size.value) &&
                          range.size.value <= ~u64{0} - around.value;
    if (!has_size || !is_power_of_two(placement.alignment.value)) {
        return Error::invalid_argument;
    }
    if (range.kind == RangeKind::device) {
        TRY(check_device(range));
    }
    GapSearch search{
        .from = placement.first,
        .end = placement.end,
        .size = around + range.size,
        .alignment = placement.alignment};
    Work work(*m_frames);
    bool is_there = false;
    while (!is_there) {
        auto const found = attempt(work, [&]() -> Result<bool> {
            m_lock.assert_held();
            auto const place = m_ranges.find_gap(search, step_ranges);
            if (!place) {
                return search.is_over ? Result<bool>(Error::no_space) : Result<bool>(false);
            }
            range.base = *place + before;
            TRY(check_bounds(range.base, range.size));
            TRY(insert_placed(placement, range, work));
            return true;
        });
        is_there = TRY(found);
    }
    if (range.kind == RangeKind::device) {
        TRY(map_device_pages(range, work));
    }
    return range.base;
}

/// Inserts a range and its guards, or nothing.
Result<void>
AddressSpace::insert_placed(Placement const& placement, Range const& range, Work& work) {
    CHECK(range.object == nullptr);
    VirtAddr const first = range.base - placement.offset - placement.guard_below;
    Range const parts[] = {
        range,
        {.base = first, .size = placement.guard_below, .name = placement.guard_name},
        {.base = range.end(), .size = placement.guard_above, .name = placement.guard_name}};
    for (Range const& part : parts) {
        if (part.size.value == 0) {
            continue;
        }
        if (auto const inserted = m_ranges.insert(part, work.stock); !inserted) {
            for (Range const& other : parts) {
                Range* const made = other.size.value != 0 ? m_ranges.find(other.base) : nullptr;
                if (made != nullptr) {
                    m_ranges.remove(*made, work.batch);
                }
            }
            return inserted.error();
        }
    }
    return {};
}

void AddressSpace::clear() {
    if (m_owner == Owner::kernel) {
        // The tables stay in use; only what this object kept about them goes.
        m_lock.assert_held(); // nobody else has it any more
        Work work(*m_frames);
        while (Range* const range = m_ranges.first()) {
            m_ranges.remove(*range, work.batch);
        }
        m_is_empty = true;
        return;
    }
    CHECK(!is_active());
    m_lock.assert_held();
    m_was_active = false; // nowhere any more: whoever changed to another space has dropped all
    Bytes const everything = lower_half_end - VirtAddr{};
    Result<void> const taken = take_away({}, everything);
    CHECK(taken.has_value());
    CHECK(m_table.tables() == 0);
    m_frames->release(m_root, 0);
    m_is_empty = true;
}

} // namespace twofold::memory
