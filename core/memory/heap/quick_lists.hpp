// Medium blocks that rest in a cache: longer than the magazines take, of any exact length. Sixteen
// short lists; a length has its place on one of them, which it shares with others. So a length that
// is freed and asked for again is found in a few steps, and none is rounded up for it.
//
// A list also remembers which length it could not serve last: one that is asked for again and again
// is taken from the space several blocks at a time.
//
// Source: quick lists of exact sizes and deferred coalescing, C. Weinstock and W. Wulf, "QuickFit:
// an efficient algorithm for heap storage allocation", ACM SIGPLAN Notices 23(10), 1988.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/geometry.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace twofold::memory::heap {

/// Only the owner of the cache changes them; others read how many bytes they hold.
class QuickLists {
public:
    static constexpr u32 list_count = 16;
    static constexpr u32 items_max = 7; ///< of a list, which is a line of a processor's cache
    static constexpr u32 none = ~u32{0};

    struct Item {
        u32 granule;
        u32 length; ///< in granules
    };

    static constexpr u32 list_of(u64 length) {
        return static_cast<u32>((length ^ length >> 4 ^ length >> 8) % list_count);
    }

    /// The block of `length` granules that came here last, or `none`.
    u32 take(u32 length) {
        List& list = m_lists[list_of(length)];
        for (u32 i = list.count; i > 0; --i) {
            if (list.items[i - 1].length == length) {
                u32 const granule = list.items[i - 1].granule;
                list.items[i - 1] = list.items[--list.count];
                count_bytes(0 - (u64{length} << granule_shift));
                return granule;
            }
        }
        return none;
    }

    bool is_full(u64 length) const { return m_lists[list_of(length)].count == items_max; }
    /// Lets a block rest here; its list is not full.
    void put(Item item) {
        List& list = m_lists[list_of(item.length)];
        CHECK(list.count < items_max);
        list.items[list.count++] = item;
        count_bytes(u64{item.length} << granule_shift);
    }

    /// `take` found none of `length`. How many blocks should be taken from the space now: one, and
    /// twice as many each time that the list misses the same length again, as far as there is room.
    u32 wanted(u32 length) {
        List& list = m_lists[list_of(length)];
        bool const again = list.missed == length;
        list.missed = static_cast<u16>(length);
        list.batch = static_cast<u8>(again ? std::min<u32>(2u * list.batch, items_max) : 1);
        return std::min<u32>(list.batch, items_max - list.count + 1);
    }

    std::span<Item const> items(u32 number) const {
        return std::span(m_lists[number].items).first(m_lists[number].count);
    }
    /// Forgets the oldest `count` of a list.
    void drop(u32 number, u32 count) {
        List& list = m_lists[number];
        CHECK(count <= list.count);
        for (u32 i = 0; i < count; ++i) {
            count_bytes(0 - (u64{list.items[i].length} << granule_shift));
        }
        std::copy(list.items.begin() + count, list.items.begin() + list.count, list.items.begin());
        list.count = static_cast<u8>(list.count - count);
    }

    /// The list that gives next when too much rests here: each in turn.
    u32 next_victim() {
        m_hand = (m_hand + 1) % list_count;
        return m_hand;
    }
    u64 bytes() const { return m_bytes.load(relaxed); }

private:
    struct alignas(64) List {
        std::array<Item, items_max> items;
        u16 missed; ///< the length that was not here
        u8 batch;   ///< how many of it were wanted then
        u8 count;
    };
    static_assert(sizeof(List) == 64 && medium_granules_max <= 0xffff);

    void count_bytes(u64 more) { m_bytes.store(m_bytes.load(relaxed) + more, relaxed); }

    std::array<List, list_count> m_lists;
    Atomic<u64> m_bytes; ///< in blocks
    u32 m_hand;
};

} // namespace twofold::memory::heap
