// Medium blocks: longer than the magazines take, short enough to rest in a cache. What becomes of
// them on the way between a program, the caller's quick lists and the space. Part of heap.hpp.
#pragma once

#include "core/memory/heap/heap_object.hpp"

#include <array>

namespace twofold::memory {

/// From the caller's quick lists, or past them.
template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_medium(u64 size) {
    Cache* const cache = current() != nullptr ? current() : attach();
    if (cache == nullptr) {
        return allocate_from_space(size, 1);
    }
    u32 const length = static_cast<u32>(heap::granules_for(size));
    u32 granule = cache->quick.take(length);
    if (granule == cache->quick.none) {
        u32 const wanted = cache->quick.wanted(length);
        granule = wanted > 1 ? take_several(*cache, length, wanted) : cache->quick.none;
        if (granule == cache->quick.none) {
            return allocate_from_space(size, 1);
        }
    }
    m_map.set_large(granule, length);
    cache->note_medium(size, u64{length} << heap::granule_shift);
    return block_at(granule);
}

/// Takes up to `wanted` blocks of `length` from the space and lets all but one rest in the cache:
/// that one, neither live nor resting, or `none`.
template<HeapBacking Backing, HeapEnvironment Environment>
u32 Heap<Backing, Environment>::take_several(Cache& cache, u32 length, u32 wanted) {
    u64 const bytes = u64{length} << heap::granule_shift;
    u64 const budget = quick_budget();
    u64 const held = cache.quick.bytes();
    if (held + bytes > budget) {
        return cache.quick.none;
    }
    std::array<u32, heap::QuickLists::items_max> taken{};
    u64 const room = (budget - held) / bytes;
    std::span<u32> const slots = std::span(taken).first(std::min<u64>(wanted, room));
    usize got = 0;
    {
        Locked const locked(*this);
        u64 const before = m_space.commits();
        Result<usize> const done = m_space.take_many(length, slots);
        if (!done) {
            return cache.quick.none;
        }
        got = done.value();
        note_growth(before);
    }
    while (got > 1) { // the lowest address goes first
        u32 const granule = slots[--got];
        m_map.set_resting_medium(granule, length);
        cache.quick.put({granule, length});
    }
    return slots[0];
}

/// Lets a live block of `length` granules rest in the caller's quick lists. False if it is too long
/// for them or there are none.
template<HeapBacking Backing, HeapEnvironment Environment>
bool Heap<Backing, Environment>::shelve(u64 granule, u64 length) {
    u64 const bytes = length << heap::granule_shift;
    u64 const budget = quick_budget();
    if (length > heap::medium_granules_max || bytes > budget / 4) {
        return false;
    }
    Cache* const cache = current() != nullptr ? current() : attach();
    if (cache == nullptr) {
        return false;
    }
    if (cache->quick.is_full(length)) {
        spill_quick(*cache, heap::QuickLists::list_of(length));
    }
    for (u32 turn = 0; turn < heap::QuickLists::list_count && cache->quick.bytes() + bytes > budget;
         ++turn) {
        spill_quick(*cache, cache->quick.next_victim());
    }
    m_map.set_resting_medium(granule, length);
    cache->quick.put({static_cast<u32>(granule), static_cast<u32>(length)});
    return true;
}

template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::empty_quick(Cache& cache) {
    while (cache.quick.bytes() != 0) {
        spill_quick(cache, cache.quick.next_victim());
    }
}

/// Gives the older half of a quick list back to the space.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::spill_quick(Cache& cache, u32 list) {
    auto const items = cache.quick.items(list);
    auto const given = items.first((items.size() + 1) / 2);
    if (given.empty()) {
        return;
    }
    Locked const locked(*this);
    heap::Run run{given[0].granule, 0}; // neighbours often come back together
    for (heap::QuickLists::Item const& item : given) {
        CHECK(m_map.is_resting_medium(item.granule));
        CHECK(m_map.medium_granules(item.granule) == item.length); // else it was handed out twice
        m_map.erase_large(item.granule);
        if (item.granule == run.first + run.count) {
            run.count += item.length;
        } else if (item.granule + item.length == run.first) {
            run = {item.granule, run.count + item.length};
        } else {
            m_space.give(run);
            run = {item.granule, item.length};
        }
    }
    m_space.give(run);
    cache.quick.drop(list, static_cast<u32>(given.size()));
}

} // namespace twofold::memory
