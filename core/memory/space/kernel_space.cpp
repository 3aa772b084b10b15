// See kernel_space.hpp.
#include "core/memory/space/kernel_space.hpp"

namespace twofold::memory {

namespace {

using hal::Mmu;

constexpr Bytes large_page = PageTable<>::span(large_page_level);

/// Whether a page below `table` could be written and executed. Recurses once a level.
bool breaks_write_xor_execute(PhysAddr table, unsigned level) {
    for (TableEntry const& each : std::span(frame_object<TableEntry>(table), Mmu::entries)) {
        u64 const entry = each.load(relaxed);
        if (!Mmu::is_present(entry)) {
            continue;
        }
        bool const broken = Mmu::is_leaf(entry, level)
                                ? !page_access(Mmu::decode_leaf(entry, level).access).has_value()
                                : breaks_write_xor_execute(Mmu::decode_table(entry), level - 1);
        if (broken) {
            return true;
        }
    }
    return false;
}

} // namespace

Result<KernelSpace>
KernelSpace::adopt(SharedFrames& frames, PhysAddr root, hal::KernelLayout const& windows) {
    if (breaks_write_xor_execute(root, Mmu::levels - 1)) {
        return Error::corrupted;
    }
    AddressSpace space = TRY(AddressSpace::adopt(frames, root, windows));
    TRY(space.map_pinned(
        windows.heap.base, windows.heap.size, PageAccess::read_write, large_page_level, "heap"));
    return KernelSpace(std::move(space), windows);
}

Result<KernelStack> KernelSpace::allocate_stack(Bytes size) {
    if (probe::fails(FaultPoint::threads_stack)) {
        return Error::out_of_memory;
    }
    if (size.value == 0 || !is_aligned(size.value, page_size.value) ||
        size.value > m_windows.stacks.size.value - page_size.value) {
        return Error::invalid_argument;
    }
    hal::Window const& window = m_windows.stacks;
    VirtAddr const base = TRY(m_space.map_somewhere(
        {.first = window.base,
         .end = window.base + window.size,
         .guard_below = page_size,
         .guard_name = "stack guard"},
        {.size = size,
         .kind = RangeKind::pinned,
         .access = PageAccess::read_write,
         .name = "stack"}));
    if (Result<void> const outcome = m_space.commit(base, size); !outcome) {
        m_space.unmap(base - page_size, size + page_size).value(); // whole: nothing to cut
        return outcome.error();
    }
    return KernelStack{base, size};
}

Result<void> KernelSpace::free_stack(KernelStack const& stack) {
    auto const range = m_space.find(stack.base);
    auto const guard = m_space.find(stack.base - page_size);
    bool const is_stack = range && range->kind == RangeKind::pinned && range->base == stack.base &&
                          range->size == stack.size && m_windows.stacks.contains(stack.base) &&
                          guard && guard->kind == RangeKind::guard;
    if (!is_stack) {
        return Error::not_found;
    }
    return m_space.unmap(guard->base, stack.size + page_size);
}

Result<VirtAddr> KernelSpace::find_view(Bytes size, Bytes alignment) const {
    if (size.value == 0 || !is_power_of_two(alignment.value)) {
        return Error::invalid_argument;
    }
    hal::Window const& views = m_windows.views;
    return m_space.find_gap(views.base + views_reserved, views.base + views.size, size, alignment);
}

Result<VirtAddr> KernelSpace::map_device(PhysAddr device, Bytes size, hal::CacheMode cache) {
    if (size.value == 0 || size > m_windows.views.size ||
        device.value + (size.value - 1) < device.value) {
        return Error::invalid_argument;
    }
    PhysAddr const first = align_down(device, page_size);
    Bytes const within = device - first;
    Bytes const whole = align_up(within + size, page_size);
    // At the same offset inside a large page as the device has, so that large pages fit.
    bool const is_large = whole >= large_page;
    Bytes const alignment = is_large ? large_page : page_size;
    Bytes const offset{first.value % alignment.value};
    hal::Window const& views = m_windows.views;
    VirtAddr const place = TRY(m_space.map_somewhere(
        {.first = views.base + views_reserved,
         .end = views.base + views.size,
         .alignment = alignment,
         .offset = offset},
        {.size = whole,
         .kind = RangeKind::device,
         .access = PageAccess::read_write,
         .cache = cache,
         .device = first,
         .name = "device"}));
    return place + within;
}

Result<void> KernelSpace::unmap_device(VirtAddr view) {
    auto const range = m_space.find(view);
    if (!range || range->kind != RangeKind::device) {
        return Error::not_found;
    }
    return m_space.unmap(range->base, range->size);
}

} // namespace twofold::memory
