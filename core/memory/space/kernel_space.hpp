// The kernel's own space: adopted from the tables that the machine's start has built, and from then
// on changed through the engine alone.
//
// The linear window and the image stay as the machine mapped them. The windows for the heap, for
// stacks and for views are handed out here; their entries of the root are made at adoption and
// never change, so that every other space can share them.
#pragma once

#include "core/memory/space/address_space.hpp"

namespace twofold::memory {

/// A kernel stack: whole pages above a guard page.
struct KernelStack {
    VirtAddr base; ///< lowest usable byte
    Bytes size;
};

class KernelSpace {
public:
    /// The first pages of the views window are never given out: provoked faults and tests of the
    /// machine use them.
    static constexpr Bytes views_reserved{u64{2} << 20};

    /// Takes over the tables under `root`. Errors: out_of_memory; corrupted if a page there could
    /// be written and executed. O(tables).
    static Result<KernelSpace>
    adopt(SharedFrames& frames, PhysAddr root, hal::KernelLayout const& windows);

    /// Puts zeroed, writable pages at a part of the heap window; takes them away again. See
    /// AddressSpace::commit. 2 MiB pages where they fit. O(pages).
    Result<void> map_pages(VirtAddr base, Bytes size) { return m_space.commit(base, size); }
    Result<void> unmap_pages(VirtAddr base, Bytes size) { return m_space.decommit(base, size); }

    /// A stack of `size` bytes (whole pages), all of it there, zeroed, with a guard page below.
    /// Errors: invalid_argument, no_space, out_of_memory. O(pages + stacks).
    Result<KernelStack> allocate_stack(Bytes size);
    /// Gives a stack back that nothing runs on. Errors: not_found. O(pages).
    Result<void> free_stack(KernelStack const& stack);

    /// Shows `size` bytes of a device at `device` (any alignment) in the views window; returns
    /// where `device` itself is seen. Errors: invalid_argument, no_space, out_of_memory. O(pages).
    Result<VirtAddr> map_device(PhysAddr device, Bytes size, hal::CacheMode cache);
    /// Takes away what map_device returned `view` for. Errors: not_found. O(pages).
    Result<void> unmap_device(VirtAddr view);

    /// A free place of `size` bytes in the views window, for the map_ operations of `space`, as
    /// long as nobody else takes it (AddressSpace::map_somewhere does both at once).
    Result<VirtAddr> find_view(Bytes size, Bytes alignment) const;

    /// Whether a page fault of the kernel has been answered: the access can be tried again. For the
    /// fault upcall. O(log n + page size).
    Result<void> resolve(VirtAddr address, FaultAccess wanted) {
        return m_space.resolve(address, wanted);
    }

    AddressSpace& space() { return m_space; }
    AddressSpace const& space() const { return m_space; }
    hal::Window heap() const { return m_windows.heap; }
    /// The part of the views window that is handed out. O(1).
    hal::Window views() const {
        return {m_windows.views.base + views_reserved, m_windows.views.size - views_reserved};
    }

private:
    KernelSpace(AddressSpace&& space, hal::KernelLayout const& windows)
        : m_space(std::move(space)), m_windows(windows) {}

    AddressSpace m_space;
    hal::KernelLayout m_windows;
};

} // namespace twofold::memory
