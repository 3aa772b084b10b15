// Finds a tight hole. Every page has one key, the length of the longest hole that begins in it, and
// hangs in the bin of that length; a request takes the page whose longest hole is the shortest that
// fits, and in that page the tightest hole. That is best fit over the pages' longest holes: on the
// workloads of docs/heap.md it packs within half a percent of best fit over all holes, needs
// twelve bytes a page and no word in free memory.
//
// Source: segregated bins with a bitmap as in M. Masmano et al., "TLSF: a new dynamic memory
// allocator for real-time systems", ECRTS 2004, section 3; best fit as the policy after M.
// Johnstone and P. Wilson, "The memory fragmentation problem: solved?", ISMM 1998.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/geometry.hpp"

#include <array>
#include <span>

namespace twofold::memory::heap {

/// What the heap knows of a page. All zeros: not committed, no hole begins here.
struct PageEntry {
    u32 key;           ///< granules of the longest hole that begins here, or 0: in no bin
    u32 next;          ///< page number + 1 of the next page in the bin, or 0
    u32 previous : 29; ///< likewise
    u32 stale : 1;     ///< runs were given back of which the index does not know yet
    u32 committed : 1; ///< accessible
    u32 idle : 1;      ///< committed, and no block lies on it
};
static_assert(sizeof(PageEntry) == 12);

/// Pages by key. Not thread-safe; O(1) but for find, which looks at `probes_max` pages at most.
class HoleIndex {
public:
    static constexpr u64 none = ~u64{0};

    void set_pages(std::span<PageEntry> pages) { m_pages = pages; }
    PageEntry& operator[](u64 page) const { return m_pages[page]; }

    /// Gives `page` the key `key`, which moves it to another bin.
    void set_key(u64 page, u64 key) {
        PageEntry& entry = m_pages[page];
        if (entry.key == key) {
            return;
        }
        u32 const from = bin_of(entry.key);
        u32 const to = bin_of(key);
        if (from != to) {
            if (entry.key != 0) {
                unlink(entry, from);
            }
            if (key != 0) {
                link(page, entry, to);
            }
        }
        entry.key = static_cast<u32>(key);
    }

    /// A page in which a hole of at least `length` granules begins, of those with the shortest
    /// longest hole; `none` if there is none.
    u64 find(u64 length) const {
        u32 bin = bin_of(length);
        if (length >= u64{2} * bin_octave) { // the lengths of this bin differ: a few are looked at
            u32 page = m_first[bin];
            for (u32 probe = 0; page != 0 && probe < probes_max; ++probe) {
                if (m_pages[page - 1].key >= length) {
                    return page - 1;
                }
                page = m_pages[page - 1].next;
            }
            ++bin;
        }
        u32 const found = next_bin(bin);
        return found < bin_count ? m_first[found] - 1 : none;
    }

    /// Whether links, keys and the bitmap agree for the pages below `pages`.
    bool is_consistent(u64 pages) const {
        u64 keyed = 0;
        for (u64 page = 0; page < pages; ++page) {
            keyed += m_pages[page].key != 0 ? 1 : 0;
        }
        u64 linked = 0;
        for (u32 bin = 0; bin < bin_count; ++bin) {
            u32 previous = 0;
            for (u32 page = m_first[bin]; page != 0; page = m_pages[page - 1].next) {
                bool const good =
                    page <= pages && ++linked <= keyed && m_pages[page - 1].previous == previous &&
                    m_pages[page - 1].key != 0 && bin_of(m_pages[page - 1].key) == bin;
                if (!good) {
                    return false;
                }
                previous = page;
            }
            bool const said = (m_filled[bin / 64] >> (bin % 64) & 1) != 0;
            if (said != (m_first[bin] != 0)) {
                return false;
            }
        }
        return linked == keyed;
    }

private:
    static constexpr u32 probes_max = 8;
    static constexpr u32 words = (bin_count + 63) / 64;

    u32 next_bin(u32 from) const {
        u32 index = from / 64;
        u64 rest = index < words ? m_filled[index] >> (from % 64) << (from % 64) : 0;
        while (rest == 0) {
            if (++index >= words) {
                return bin_count;
            }
            rest = m_filled[index];
        }
        return index * 64 + static_cast<u32>(std::countr_zero(rest));
    }

    void link(u64 page, PageEntry& entry, u32 bin) {
        u32 const name = static_cast<u32>(page + 1);
        entry.previous = 0;
        entry.next = m_first[bin];
        if (entry.next != 0) {
            m_pages[entry.next - 1].previous = name;
        }
        m_first[bin] = name;
        m_filled[bin / 64] |= u64{1} << (bin % 64);
    }
    void unlink(PageEntry& entry, u32 bin) {
        if (entry.next != 0) {
            m_pages[entry.next - 1].previous = entry.previous;
        }
        if (entry.previous != 0) {
            m_pages[entry.previous - 1].next = entry.next;
        } else {
            m_first[bin] = entry.next;
            if (entry.next == 0) {
                m_filled[bin / 64] &= ~(u64{1} << (bin % 64));
            }
        }
        entry.next = entry.previous = 0;
    }

    std::span<PageEntry> m_pages;
    std::array<u32, bin_count> m_first{}; ///< page number + 1 of each bin's first page, or 0
    std::array<u64, words> m_filled{};    ///< which bins hold a page
};

} // namespace twofold::memory::heap
