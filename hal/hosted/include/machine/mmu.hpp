// The hosted machine's MMU: the tables are genuine, the host's mappings are its TLB.
#pragma once

#include "hal/mmu.hpp"

#include <isa/page_entry.hpp>

namespace hal {

struct Mmu : isa::PageEntry {
    /// Leaves of 1 GiB are mapped in one piece, as those of 2 MiB are.
    static unsigned highest_leaf_level() { return isa::PageEntry::highest_encodable_leaf; }
    static PhysAddr root();
    static void activate(PhysAddr root);
    static void flush(VirtAddr address, Bytes size);
    static u64 count_stale();
    static void* view(PhysAddr root, VirtAddr address);
};

} // namespace hal
