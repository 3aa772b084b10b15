// Where the process's heap lies: private anonymous memory, one large reservation of addresses.
// Pages become accessible when the heap commits them for the first time and stay so; a decommit
// gives their frames back to the host, and their next use finds zeros. So the number of mappings
// stays small, whatever the heap does. The heap calls with its lock held.
#pragma once

#include "core/memory/heap/heap.hpp"

#include <array>
#include <sys/mman.h>

namespace twofold::malloc_library {

class PrivateBacking {
public:
    /// Reserves addresses: as many as the heap can use, or the largest half, quarter and so on that
    /// the host allows (a limit of address space). Error::out_of_memory below range_min_bytes.
    Result<void> reserve() {
        for (u64 bytes = range_bytes; bytes >= range_min_bytes; bytes /= 2) {
            void* const range =
                mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (range != MAP_FAILED) {
                m_range = {static_cast<std::byte*>(range), Bytes{bytes}};
                return {};
            }
        }
        return Error::out_of_memory;
    }

    memory::HeapRange range() const { return m_range; }

    Result<void> commit(Bytes offset, Bytes size) {
        std::byte* const begin = m_range.base + offset.value;
        if (!is_open(offset, size)) {
            if (mprotect(begin, size.value, PROT_READ | PROT_WRITE) != 0) {
                return Error::out_of_memory;
            }
            note_open(offset, size);
        }
        if (size.value <= populate_bytes_max) { // one call instead of a fault for each page
            (void)madvise(begin, size.value, MADV_POPULATE_WRITE);
        }
        return {};
    }

    void decommit(Bytes offset, Bytes size) {
        [[maybe_unused]] int const done =
            madvise(m_range.base + offset.value, size.value, MADV_DONTNEED);
        CHECK(done == 0);
    }

private:
    static constexpr u64 range_bytes = u64{68} << 30;
    static constexpr u64 range_min_bytes = u64{32} << 20;
    /// What a block of this size needs is mostly touched at once; a larger one's perhaps never.
    static constexpr u64 populate_bytes_max = u64{64} << 10;

    /// Whether all of these pages are accessible already. O(pages / 64).
    bool is_open(Bytes offset, Bytes size) const {
        u64 const end = (offset + size).value / page_size.value;
        for (u64 page = offset.value / page_size.value; page < end; page = (page | 63) + 1) {
            u64 const wanted = pages_of_word(page, end);
            if ((m_open[page / 64] & wanted) != wanted) {
                return false;
            }
        }
        return true;
    }
    void note_open(Bytes offset, Bytes size) {
        u64 const end = (offset + size).value / page_size.value;
        for (u64 page = offset.value / page_size.value; page < end; page = (page | 63) + 1) {
            m_open[page / 64] |= pages_of_word(page, end);
        }
    }
    /// The bits of the pages from `page` to `end` that lie in the word of `page`.
    static u64 pages_of_word(u64 page, u64 end) {
        u64 const from = ~u64{0} << page % 64;
        u64 const left = end - page / 64 * 64;
        return left >= 64 ? from : from & ((u64{1} << left) - 1);
    }

    memory::HeapRange m_range;
    /// A bit a page: accessible. Pages of zeros until the heap grows there.
    std::array<u64, range_bytes / page_size.value / 64> m_open{};
};
static_assert(memory::HeapBacking<PrivateBacking>);

} // namespace twofold::malloc_library
