// What the devices of a hosted machine may reach: for each device (its domain) and each page of
// memory, how often that is mapped for the device to read, and to write. The kernel's side of the
// contract changes the counts (guest/dma.cpp), without leaving the kernel; the board looks at them
// at every access of a device.
//
// The tables lie behind the machine's physical memory, in the same file: no physical address leads
// there, but copies of the memory hold them, and what was never mapped takes no memory. A device
// sees a page at its physical address plus `dma_shift`, which no physical address reaches: so who
// gives a device a physical address is found out.
//
// Invariant: a count is what is mapped at that moment; all operations on a page are atomic, and
// several processors and the board may come at once.
#pragma once

#include "core/base/base.hpp"
#include "hal/dma_types.hpp"
#include "hal/hosted/rounding.hpp"

namespace hosted {

using namespace twofold;

inline constexpr u32 dma_domains = 64; ///< of one machine
inline constexpr u64 dma_shift = u64{1} << 46;

/// Bytes of one table for so many pages.
constexpr u64 dma_table_bytes_of_domain(u64 pages) {
    return round_up(pages * sizeof(u32), page_size.value);
}
/// Bytes of the tables of a machine with so much memory.
constexpr u64 dma_table_bytes(u64 memory_bytes) {
    return dma_table_bytes_of_domain(memory_bytes / page_size.value) * dma_domains;
}

/// A view of the tables. A value.
class DmaTables {
public:
    static constexpr u32 count_max = 0xffff; ///< of mappings of a page, for either direction

    /// `tables` are dma_table_bytes(memory_bytes), aligned to pages.
    DmaTables(std::byte* tables, u64 memory_bytes)
        : m_tables(tables), m_pages(memory_bytes / page_size.value) {}

    /// One more mapping of `pages` pages from `first` on. Errors: no_space, and nothing is mapped.
    Result<void> add(u32 domain, u64 first, u64 pages, hal::DmaDirection direction) const {
        u32* const words = words_of(domain, first, pages);
        for (u64 page = 0; page < pages; ++page) {
            if (!add_one(words[page], step_of(direction))) [[unlikely]] {
                remove(domain, first, page, direction);
                return Error::no_space;
            }
        }
        return {};
    }
    /// One less. Panics where there was none.
    void remove(u32 domain, u64 first, u64 pages, hal::DmaDirection direction) const {
        u32* const words = words_of(domain, first, pages);
        u32 const step = step_of(direction);
        for (u64 page = 0; page < pages; ++page) {
            u32 const before = __atomic_fetch_sub(words + page, step, __ATOMIC_ACQ_REL);
            CHECK(holds(before, step)); // what is unmapped was mapped
        }
    }
    /// Whether the device may do all of it. O(pages).
    bool allows(u32 domain, u64 first, u64 pages, hal::DmaDirection direction) const {
        u32 const* const words = words_of(domain, first, pages);
        for (u64 page = 0; page < pages; ++page) {
            if (!holds(__atomic_load_n(words + page, __ATOMIC_ACQUIRE), step_of(direction))) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr u32 reader = 1, writer = u32{1} << 16;

    static u32 step_of(hal::DmaDirection direction) {
        auto const bits = static_cast<u32>(direction);
        return (bits & 1) * reader + (bits >> 1) * writer;
    }
    /// Whether the counts of all directions of `step` are not 0.
    static bool holds(u32 word, u32 step) {
        return ((step & reader) == 0 || (word & (writer - 1)) != 0) &&
               ((step & writer) == 0 || word >= writer);
    }
    static bool add_one(u32& word, u32 step) {
        u32 before = __atomic_load_n(&word, __ATOMIC_RELAXED);
        do {
            if (!holds(~before, step)) {
                return false; // a count is at its end
            }
        } while (!__atomic_compare_exchange_n(
            &word, &before, before + step, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
        return true;
    }
    u32* words_of(u32 domain, u64 first, u64 pages) const {
        CHECK(domain < dma_domains && first <= m_pages && pages <= m_pages - first);
        u64 const table = dma_table_bytes_of_domain(m_pages) * domain;
        // Sound: inside the tables, which begin on a page.
        return reinterpret_cast<u32*>(m_tables + table) + first;
    }

    std::byte* m_tables;
    u64 m_pages;
};

/// The pages that `size` bytes at `at` lie on.
struct DmaPages {
    constexpr DmaPages(u64 at, u64 size)
        : first(at / page_size.value),
          count(size == 0 ? 0 : (at + size - 1) / page_size.value - first + 1) {}

    u64 first;
    u64 count;
};

} // namespace hosted
