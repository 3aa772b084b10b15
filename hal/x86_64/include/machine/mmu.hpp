// The metal machine: the processor's own page tables, four levels.
#pragma once

#include "hal/mmu_types.hpp"
#include "isa/page_entry.hpp"

namespace hal {

struct Mmu : isa::PageEntry {
    /// 1 GiB where the processor has such pages, else 2 MiB.
    static unsigned highest_leaf_level();
    static PhysAddr root();
    static void activate(PhysAddr root);
    static void flush(VirtAddr address, Bytes size);
    /// The processor does not show what it caches.
    static u64 count_stale() { return 0; }
    /// The kernel's pages of the active space are seen as they are; of the rest, RAM is seen
    /// through the linear window and the image, which that leaves out, at its own place.
    static void* view(PhysAddr root, VirtAddr address);
};

} // namespace hal
