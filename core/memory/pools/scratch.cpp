// See scratch.hpp.
#include "core/memory/pools/scratch.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

constexpr usize margin_bytes = page_size.value - ScratchBuffers::buffer_size.value;
constexpr usize near_bytes = 64; ///< of the margin, compared at every return
constexpr std::byte pattern{0xc5};

std::span<std::byte> margin(std::byte* page) {
    return {page, margin_bytes};
}
bool is_intact(std::span<std::byte const> bytes) {
    return std::ranges::all_of(bytes, [](std::byte each) { return each == pattern; });
}

} // namespace

ScratchLease::~ScratchLease() {
    if (m_slot != nullptr) {
        Result<void> const intact = give_back();
        CHECK(intact.has_value()); // somebody wrote before the beginning of the scratch buffer
    }
}

std::span<std::byte> ScratchLease::bytes() const {
    CHECK(m_slot != nullptr);
    std::span<std::byte> const page(m_slot->page, page_size.value);
    return page.last(ScratchBuffers::buffer_size.value);
}

Result<void> ScratchLease::give_back() {
    if (m_slot == nullptr) {
        return Error::invalid_state;
    }
    Slot& slot = *std::exchange(m_slot, nullptr);
    std::span<std::byte> const near = margin(slot.page).last(near_bytes);
    bool const intact = is_intact(near);
    if (!intact) {
        std::ranges::fill(near, pattern);
    }
    slot.taken.store(0, release);
    return intact ? Result<void>() : Result<void>(Error::corrupted);
}

Result<ScratchBuffers>
ScratchBuffers::create(KernelSpace& space, StorageCursor& storage, u32 cpus) {
    if (cpus == 0) {
        return Error::invalid_argument;
    }
    auto const slots = TRY(sync::PerCpu<Slot>::create(storage, cpus));
    VirtAddr const base = TRY(space.find_view(extent(cpus), page_size));
    ScratchBuffers made(space, base, slots);
    TRY(made.map(cpus)); // what is mapped by then goes with `made`
    return made;
}

/// Guard, buffer, guard, buffer, ..., guard.
Result<void> ScratchBuffers::map(u32 cpus) {
    AddressSpace& space = m_space->space();
    TRY(space.map_guard(m_base, page_size, "scratch guard"));
    for (u32 cpu = 0; cpu < cpus; ++cpu) {
        VirtAddr const page = m_base + page_size * (2 * u64{cpu} + 1);
        TRY(space.map_pinned(page, page_size, PageAccess::read_write, 0, "scratch"));
        TRY(space.map_guard(page + page_size, page_size, "scratch guard"));
        TRY(space.commit(page, page_size));
        std::byte* const bytes = hal::kernel_pointer(page);
        std::ranges::fill(margin(bytes), pattern);
        m_slots.of({cpu}).page = bytes;
    }
    return {};
}

ScratchBuffers::~ScratchBuffers() {
    if (m_space == nullptr) {
        return;
    }
    for (u32 cpu = 0; cpu < cpus(); ++cpu) {
        CHECK(m_slots.of({cpu}).taken.load(relaxed) == 0);
    }
    AddressSpace& space = m_space->space();
    if (space.find(m_base)) {                        // else: not even the first guard was made
        space.unmap(m_base, extent(cpus())).value(); // whole ranges: nothing to cut
    }
}

Result<ScratchLease> ScratchBuffers::take() {
    sync::NoPreemptGuard const guard;
    Slot& slot = m_slots.local(guard);
    if (slot.taken.exchange(1, acquire) != 0) {
        slot.refused.fetch_add(1, relaxed);
        return Error::busy;
    }
    slot.leases.fetch_add(1, relaxed);
    return ScratchLease(slot);
}

ScratchStatistics ScratchBuffers::statistics(CpuId cpu) const {
    Slot const& slot = m_slots.of(cpu);
    return {slot.leases.load(relaxed), slot.refused.load(relaxed), slot.taken.load(relaxed) != 0};
}

Result<void> ScratchBuffers::verify() const {
    for (u32 cpu = 0; cpu < cpus(); ++cpu) {
        if (!is_intact(margin(m_slots.of({cpu}).page))) {
            return Error::corrupted;
        }
    }
    return {};
}

} // namespace twofold::memory
