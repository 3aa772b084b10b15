// Physical memory before there is an allocator of frames: taken once, from below, never given back.
// The kernel object and the first tables come from here; what is left is handed on as a map.
#pragma once

#include "core/memory/memory_map.hpp"

namespace twofold::memory {

/// Bumps through the usable ranges. Above 1 MiB first, because firmware and processors that start
/// up want the memory below; below only when nothing else is left. Frame 0 is never handed out:
/// address 0 means "none" in too many tables.
class EarlyFrames {
public:
    static constexpr PhysAddr low_memory_end{1 << 20};

    explicit EarlyFrames(MemoryMap const& map);

    /// Takes `size` bytes (more than 0) at a multiple of `alignment`, both multiples of a page,
    /// alignment a power of two. The content is undefined. Errors: invalid_argument, out_of_memory.
    /// O(ranges).
    Result<PhysAddr> allocate(Bytes size, Bytes alignment);

    /// The same from below 1 MiB alone, where processors begin to run.
    Result<PhysAddr> allocate_low(Bytes size);

    /// How much was taken, what was skipped for alignment included.
    Bytes allocated() const { return m_allocated; }
    /// How much can still be taken in pieces of one page.
    Bytes available() const;

    /// What is left, page-aligned and ascending within each half; may hold empty ranges.
    std::span<hal::MemoryRange const> remaining() const { return m_free.items(); }

    using Ranges = FixedVector<hal::MemoryRange, MemoryMap::ranges_max + 1>;
    /// What is left, for the allocator that follows; from now on nothing can be taken here.
    Ranges hand_over() {
        Ranges const left = m_free;
        m_free.clear();
        return left;
    }

private:
    Result<PhysAddr> allocate_from(hal::MemoryRange& range, Bytes size, Bytes alignment);
    void add(hal::MemoryRange const& range, bool low_half);

    /// Usable ranges in the order they are used; a range across 1 MiB is cut in two.
    Ranges m_free;
    Bytes m_allocated{};
};

} // namespace twofold::memory
