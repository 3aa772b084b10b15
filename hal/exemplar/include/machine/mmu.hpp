// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/mmu.hpp"

namespace hal {

struct Mmu {
    static constexpr unsigned levels = 4;
    static constexpr unsigned entries = 512;
    static unsigned highest_leaf_level();
    static u64 encode_leaf(PageMapping mapping, unsigned level);
    static u64 encode_table(PhysAddr table);
    static bool is_present(u64 entry);
    static bool is_leaf(u64 entry, unsigned level);
    static PageMapping decode_leaf(u64 entry, unsigned level);
    static PhysAddr decode_table(u64 entry);
    static unsigned index(VirtAddr address, unsigned level);
    static bool is_canonical(VirtAddr address);
    static PhysAddr root();
    static void activate(PhysAddr root);
    static void flush(VirtAddr address, Bytes size);
    static u64 count_stale();
    static void* view(PhysAddr root, VirtAddr address);
};

} // namespace hal
