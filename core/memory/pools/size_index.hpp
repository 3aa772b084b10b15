// Free extents by size: two levels of lists, each with a bitmap, so that one that is large enough
// is found in a bounded number of steps. An extent lies in the list of its size, rounded down; a
// search starts at the size that is wanted, rounded up, so every extent that it finds fits.
//
// Source: M. Masmano, I. Ripoll, A. Crespo and J. Real, "TLSF: a new dynamic memory allocator for
// real-time systems", ECRTS 2004, section 4. Here the lists lead through records that lie apart
// from the memory.
#pragma once

#include "core/base/base.hpp"

#include <bit>

namespace twofold::memory {

/// `E` has the members `u64 size` (in units, not 0), `E* free_next` and `E* free_previous`. Sizes
/// below 2^(LevelsMax + 3). One context at a time.
template<class E, unsigned LevelsMax>
class SizeIndex {
public:
    static constexpr unsigned lists = 8; ///< a level, so that rounding up wastes an eighth at most
    static constexpr u64 size_max = (u64{1} << (LevelsMax + 2)) - 1;

    /// O(1).
    void insert(E& extent) {
        Place const place = floor(extent.size);
        E*& head = m_heads[place.level][place.list];
        extent.free_previous = nullptr;
        extent.free_next = head;
        if (head != nullptr) {
            head->free_previous = &extent;
        }
        head = &extent;
        m_levels |= u64{1} << place.level;
        m_lists[place.level] |= static_cast<u8>(1u << place.list);
    }
    /// O(1).
    void remove(E& extent) {
        Place const place = floor(extent.size);
        E*& head = m_heads[place.level][place.list];
        CHECK(extent.free_previous != nullptr || head == &extent);
        (extent.free_previous == nullptr ? head : extent.free_previous->free_next) =
            extent.free_next;
        if (extent.free_next != nullptr) {
            extent.free_next->free_previous = extent.free_previous;
        }
        extent.free_next = extent.free_previous = nullptr;
        if (head == nullptr) {
            m_lists[place.level] &= static_cast<u8>(~(1u << place.list));
            if (m_lists[place.level] == 0) {
                m_levels &= ~(u64{1} << place.level);
            }
        }
    }
    /// An extent of at least `size` units, or null. It stays in its list. O(1), but for a last look
    /// at one list of extents that may or may not fit: `looks_max` of them.
    E* find(u64 size) const {
        if (size == 0 || size > size_max) {
            return nullptr;
        }
        Place const exact = floor(size);
        Place place = exact;
        if (start_of(exact) != size) {
            ++place.list; // the next list holds nothing smaller
            place.level += place.list / lists;
            place.list %= lists;
        }
        if (place.level <= level_last) {
            unsigned const here = m_lists[place.level] >> place.list << place.list;
            if (here != 0) {
                return m_heads[place.level][std::countr_zero(here)];
            }
            u64 const above = m_levels >> place.level >> 1;
            if (above != 0) {
                unsigned const level =
                    place.level + 1 + static_cast<unsigned>(std::countr_zero(above));
                return m_heads[level][std::countr_zero(m_lists[level])];
            }
        }
        return look_in(exact, size);
    }

    /// Calls visit(E&) for each extent.
    template<class Visit>
    void for_each(Visit&& visit) const {
        for (auto const& level : m_heads) {
            for (E* head : level) {
                for (E* extent = head; extent != nullptr; extent = extent->free_next) {
                    visit(*extent);
                }
            }
        }
    }

private:
    static constexpr unsigned list_bits = 3;
    static constexpr unsigned level_last = LevelsMax - 1;
    static constexpr unsigned looks_max = 16;
    static_assert(lists == 1u << list_bits && LevelsMax <= 61);

    struct Place {
        unsigned level;
        unsigned list;
    };
    /// Level 0 has a list for each of the sizes 0 to 7; level n covers [2^(n+2), 2^(n+3)) in
    /// eighths.
    static Place floor(u64 size) {
        if (size < lists) {
            return {0, static_cast<unsigned>(size)};
        }
        unsigned const log = static_cast<unsigned>(std::bit_width(size)) - 1;
        return {log - list_bits + 1, static_cast<unsigned>(size >> (log - list_bits)) % lists};
    }
    static u64 start_of(Place place) {
        return place.level == 0 ? place.list : u64{lists + place.list} << (place.level - 1);
    }

    /// Where no list above has one: the list of the size itself may still hold one that fits.
    E* look_in(Place place, u64 size) const {
        E* extent = m_heads[place.level][place.list];
        for (unsigned looks = 0; extent != nullptr && looks < looks_max; ++looks) {
            if (extent->size >= size) {
                return extent;
            }
            extent = extent->free_next;
        }
        return nullptr;
    }

    u64 m_levels = 0; ///< those with an extent
    u8 m_lists[LevelsMax] = {};
    E* m_heads[LevelsMax][lists] = {};
};

} // namespace twofold::memory
