// The bump allocator of early frames.
#include "core/memory/early_frames.hpp"

#include <algorithm>

namespace twofold::memory {

EarlyFrames::EarlyFrames(MemoryMap const& map) {
    for (bool const low_half : {false, true}) {
        for (hal::MemoryRange const& range : map.ranges()) {
            if (range.kind == hal::MemoryKind::usable) {
                add(range, low_half);
            }
        }
    }
}

void EarlyFrames::add(hal::MemoryRange const& range, bool low_half) {
    PhysAddr const end = range.base + range.size;
    PhysAddr const from = low_half ? range.base : std::max(range.base, low_memory_end);
    PhysAddr const to = low_half ? std::min(end, low_memory_end) : end;
    // Frame 0 is never handed out: address 0 means "none" in too many tables of firmware.
    PhysAddr const first = std::max(from, PhysAddr{page_size.value});
    if (first < to) {
        Result<void> const added = m_free.push_back({first, to - first, range.kind});
        CHECK(added.has_value()); // at most one range crosses 1 MiB
    }
}

Result<PhysAddr> EarlyFrames::allocate(Bytes size, Bytes alignment) {
    bool const sensible = size.value != 0 && is_aligned(size.value, page_size.value) &&
                          is_power_of_two(alignment.value) && alignment >= page_size;
    if (!sensible) {
        return Error::invalid_argument;
    }
    for (hal::MemoryRange& range : m_free) {
        if (auto const taken = allocate_from(range, size, alignment)) {
            return taken;
        }
    }
    return Error::out_of_memory;
}

Result<PhysAddr> EarlyFrames::allocate_low(Bytes size) {
    if (size.value == 0 || !is_aligned(size.value, page_size.value)) {
        return Error::invalid_argument;
    }
    for (hal::MemoryRange& range : m_free) {
        if (range.base + range.size <= low_memory_end) {
            if (auto const taken = allocate_from(range, size, page_size)) {
                return taken;
            }
        }
    }
    return Error::out_of_memory;
}

Result<PhysAddr> EarlyFrames::allocate_from(hal::MemoryRange& range, Bytes size, Bytes alignment) {
    u64 const end = range.base.value + range.size.value;
    u64 const start = align_up(range.base.value, alignment.value);
    if (start < range.base.value || start > end || end - start < size.value) {
        return Error::out_of_memory;
    }
    PhysAddr const taken{start};
    Bytes const used = taken + size - range.base;
    m_allocated += used;
    range.base += used;
    range.size = range.size - used;
    CHECK(range.base.value + range.size.value == end);
    return taken;
}

Bytes EarlyFrames::available() const {
    Bytes total{};
    for (hal::MemoryRange const& range : m_free) {
        total += range.size;
    }
    return total;
}

} // namespace twofold::memory
