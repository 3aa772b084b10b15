// The allocator that docs/guides/write-an-allocator.md builds: whole pages, found by first fit in a
// table of one byte a page. Slow and roomy, but complete.
#pragma once

#include "core/memory/memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace twofold::guide {

using namespace twofold::memory;

class PageAllocator {
public:
    explicit PageAllocator(std::span<std::byte> memory) {
        u64 const address = heap::address_of(memory.data());
        u64 const skipped = align_up(address, page_size.value) - address;
        if (skipped < memory.size()) {
            u64 const pages = (memory.size() - skipped) / page_size.value;
            m_count = std::min<u64>(pages, pages_max);
            m_memory = memory.subspan(skipped, m_count * page_size.value);
        }
    }

    Result<std::byte*> allocate(Bytes size, Bytes alignment) {
        if (size.value == 0 || !is_power_of_two(alignment.value)) {
            return Error::invalid_argument;
        }
        u64 const wanted = (size.value - 1) / page_size.value + 1;
        for (u64 first = 0; wanted <= m_count && first <= m_count - wanted; ++first) {
            u64 const address = heap::address_of(m_memory.data()) + first * page_size.value;
            if (is_aligned(address, alignment.value) && is_free(first, wanted)) {
                std::fill_n(&m_pages[first], wanted, Page::inside);
                m_pages[first] = Page::first;
                m_statistics.requested_ever += size;
                m_statistics.reserved_ever += page_size * wanted;
                m_statistics.reserved += page_size * wanted;
                return m_memory.subspan(first * page_size.value).data();
            }
        }
        return Error::out_of_memory;
    }

    Result<void> free(std::byte* block) {
        u64 const first = TRY(first_page(block));
        u64 const pages = length(first);
        std::fill_n(&m_pages[first], pages, Page::free);
        m_statistics.reserved = m_statistics.reserved - page_size * pages;
        return {};
    }

    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment) {
        if (size.value == 0 || !is_power_of_two(alignment.value)) {
            return Error::invalid_argument;
        }
        Bytes const usable = TRY(usable_size(block));
        if (size <= usable && is_aligned(heap::address_of(block), alignment.value)) {
            return block;
        }
        std::byte* const moved = TRY(allocate(size, alignment));
        std::memcpy(moved, block, std::min(size, usable).value);
        TRY(free(block));
        return moved;
    }

    Result<Bytes> usable_size(std::byte* block) {
        return page_size * length(TRY(first_page(block)));
    }

    AllocatorStatistics statistics() const {
        AllocatorStatistics found = m_statistics;
        found.committed = {m_memory.size()};
        return found;
    }

    Result<void> verify() {
        u64 taken = 0;
        for (u64 page = 0; page < m_count; ++page) {
            bool const lost =
                m_pages[page] == Page::inside && (page == 0 || m_pages[page - 1] == Page::free);
            if (lost) {
                return Error::corrupted;
            }
            taken += m_pages[page] == Page::free ? 0 : 1;
        }
        bool const same = page_size * taken == m_statistics.reserved;
        return same ? Result<void>() : Result<void>(Error::corrupted);
    }

private:
    enum class Page : u8 { free, first, inside };
    static constexpr usize pages_max = 4096;

    bool is_free(u64 first, u64 count) const {
        return std::all_of(
            &m_pages[first], &m_pages[first] + count, [](Page page) { return page == Page::free; });
    }
    u64 length(u64 first) const {
        u64 end = first + 1;
        while (end < m_count && m_pages[end] == Page::inside) {
            ++end;
        }
        return end - first;
    }
    /// The first page of the live block at `block`, or what is wrong with the pointer.
    Result<u64> first_page(std::byte* block) const {
        u64 const offset = heap::address_of(block) - heap::address_of(m_memory.data());
        if (offset >= m_memory.size()) {
            return Error::out_of_range;
        }
        u64 const page = offset / page_size.value;
        if (m_pages[page] == Page::free) {
            return Error::invalid_state;
        }
        bool const begins = offset % page_size.value == 0 && m_pages[page] == Page::first;
        return begins ? Result<u64>(page) : Result<u64>(Error::invalid_argument);
    }

    std::span<std::byte> m_memory;
    u64 m_count = 0;
    std::array<Page, pages_max> m_pages{};
    AllocatorStatistics m_statistics;
};
static_assert(Allocator<PageAllocator>);

} // namespace twofold::guide

namespace twofold {
/// The allocator of this header, as `-DTWOFOLD_HEAP` expects it.
using SelectedAllocator = guide::PageAllocator;
} // namespace twofold
