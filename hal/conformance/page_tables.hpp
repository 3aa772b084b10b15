// Page tables by hand, for the conformance suite: it must test the MMU without the kernel's own
// engine.
#pragma once

#include "core/boot/boot.hpp"
#include "hal/layout.hpp"
#include "hal/memory.hpp"
#include "hal/mmu.hpp"

namespace twofold::conformance {

/// A zeroed frame of the kernel's, never given back.
inline Result<PhysAddr> zeroed_frame() {
    return boot::current_kernel().frames->allocate({.content = memory::FrameContent::zeroed});
}

inline u64* table_at(PhysAddr table) {
    return reinterpret_cast<u64*>(hal::Memory::linear(table));
}

/// The level-0 entry of `address` under `root`; missing tables are created.
inline Result<u64*> entry_of(PhysAddr root, VirtAddr address) {
    PhysAddr table = root;
    for (unsigned level = hal::Mmu::levels - 1; level > 0; --level) {
        u64* const entry = &table_at(table)[hal::Mmu::index(address, level)];
        if (!hal::Mmu::is_present(*entry)) {
            *entry = hal::Mmu::encode_table(TRY(zeroed_frame()));
        }
        CHECK(!hal::Mmu::is_leaf(*entry, level));
        table = hal::Mmu::decode_table(*entry);
    }
    return &table_at(table)[hal::Mmu::index(address, 0)];
}

/// A page of the views window that no other test uses: `number` counts from its start.
inline VirtAddr test_page(u64 number) {
    hal::Window const views = hal::Layout::current().views;
    CHECK((number + 1) * page_size.value <= views.size.value);
    return views.base + page_size * number;
}

/// Flushes [address, address + size) on every processor: they all share these tables, so an entry
/// that was present leads nowhere else before all have.
inline void flush_everywhere(VirtAddr address, Bytes size) {
    hal::Mmu::flush(address, size);
    boot::current_kernel().shootdown.flush_others(address, size);
}

inline volatile u64* word_at(VirtAddr address) {
    return reinterpret_cast<volatile u64*>(address.value);
}

} // namespace twofold::conformance
