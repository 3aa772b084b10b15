// What the kernel's heap stands on: frames behind the pages of the heap window.
#pragma once

#include "core/memory/heap/backing.hpp"
#include "core/memory/space/kernel_space.hpp"
#include "hal/layout.hpp"

namespace twofold::memory {

/// The heap window of a kernel space, which must outlive it. Pages of 2 MiB where a commit covers
/// them whole; a decommit that takes a part of one never needs memory (AddressSpace::decommit).
class KernelHeapBacking {
public:
    explicit KernelHeapBacking(KernelSpace& space) : m_space(&space) {}

    HeapRange range() const {
        hal::Window const window = m_space->heap();
        return {hal::kernel_pointer(window.base), window.size};
    }
    /// Errors: out_of_memory; already_exists for pages that are committed; out of the window,
    /// permission_denied. O(pages).
    Result<void> commit(Bytes offset, Bytes size) {
        if (probe::fails(FaultPoint::heap_commit)) {
            return Error::out_of_memory;
        }
        return m_space->map_pages(m_space->heap().base + offset, size);
    }
    /// O(pages).
    void decommit(Bytes offset, Bytes size) {
        Result<void> const taken = m_space->unmap_pages(m_space->heap().base + offset, size);
        CHECK(taken.has_value());
    }

private:
    KernelSpace* m_space;
};
static_assert(HeapBacking<KernelHeapBacking>);

} // namespace twofold::memory
