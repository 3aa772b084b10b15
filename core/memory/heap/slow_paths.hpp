// What the heap does once a fast path cannot go on: it attaches a cache, fills one, empties one, or
// goes past the caches to the space. Part of heap.hpp.
#pragma once

#include "core/memory/heap/heap_object.hpp"

#include <utility>

namespace twofold::memory {

/// The caller's cache, taken from those given up or made; null if there is no room for one more.
template<HeapBacking Backing, HeapEnvironment Environment>
heap::Cache* Heap<Backing, Environment>::attach() {
    Locked const locked(*this);
    usize const known = m_caches.load(relaxed);
    usize index = 0;
    while (index < known && cache_at(index).is_attached()) {
        ++index;
    }
    if (index == known) {
        u64 const have = pages_for(known, cache_bytes);
        u64 const want = pages_for(known + 1, cache_bytes);
        if (index == caches_max ||
            (want != have && !m_backing.commit({heap_bytes + have}, {want - have}))) {
            return nullptr;
        }
        m_caches.store(known + 1, release);
    } else {
        --m_attached; // given up without the lock, so still counted
    }
    ++m_attached;
    m_published = ~u64{0};
    Cache& cache = cache_at(index);
    cache.attach({base(), m_blocks, m_map.windows()}, m_extent.load(relaxed));
    m_environment.set_slot(&cache);
    return &cache;
}

/// A magazine that nobody owned; 0 if there is no memory for one.
template<HeapBacking Backing, HeapEnvironment Environment>
u32 Heap<Backing, Environment>::new_magazine() {
    Locked const locked(*this);
    if (m_spare != 0) {
        --m_spares;
        return std::exchange(m_spare, heap::item_at(base(), m_spare));
    }
    u64 const have = pages_for(m_magazines, heap::magazine_bytes);
    u64 const want = pages_for(m_magazines + 1, heap::magazine_bytes);
    if (m_magazines == magazines_max ||
        (want != have && !m_backing.commit({magazines_offset + have}, {want - have}))) {
        return 0;
    }
    return static_cast<u32>(magazines_offset + heap::magazine_bytes * m_magazines++);
}

/// With the lock held.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::give_magazine_back(u32 magazine) {
    heap::item_at(base(), magazine) = std::exchange(m_spare, magazine);
    ++m_spares;
}

/// Gives the pages of the magazines back if all of them are spare.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::trim_magazines() {
    Locked const locked(*this);
    if (m_magazines != 0 && m_spares == m_magazines) {
        m_backing.decommit({magazines_offset}, {pages_for(m_magazines, heap::magazine_bytes)});
        m_magazines = m_spares = 0;
        m_spare = 0;
    }
}

template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::give_magazines_back(Cache& cache) {
    Locked const locked(*this);
    for (u32 code = 1; code < heap::code_count; ++code) {
        for (u32 const magazine : {cache.out_magazine(code), cache.in_magazine(code)}) {
            if (magazine != 0) {
                give_magazine_back(magazine);
            }
        }
        cache.set_out(code, 0, 0);
        cache.set_in(code, 0, 0, 0);
    }
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_by_refill(u64 size) {
    if (size == 0) {
        return Error::invalid_argument;
    }
    if (size > heap::small_bytes_max) {
        return size <= heap::medium_bytes_max ? allocate_medium(size)
                                              : allocate_from_space(size, 1);
    }
    u32 const code = static_cast<u32>(heap::granules_for(size) - 1);
    Cache* cache = current();
    if (cache == nullptr) {
        cache = attach();
        if (cache == nullptr) {
            return allocate_from_space(size, 1);
        }
    }
    if (std::byte* const block = cache->take(code, size)) {
        return block; // the caller may have come to another processor since the fast path
    }
    u32 from = code;
    if (cache->in_count(code) != 0) {
        cache->turn_over(code);
    } else if (!withdraw(*cache, code)) {
        from = borrow(*cache, code);
        if (from == 0) {
            if (!fill(*cache, code)) {
                return allocate_from_space(size, 1);
            }
            from = code;
        }
    }
    std::byte* const block = cache->take(from, size);
    CHECK(block != nullptr);
    return block;
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_aligned(Bytes size, Bytes alignment) {
    if (size.value == 0 || !is_power_of_two(alignment.value)) {
        return Error::invalid_argument;
    }
    Result<std::byte*> block = [&] {
        typename Environment::Scope const scope(m_environment);
        return allocate_from_space(size.value, alignment.value >> heap::granule_shift);
    }();
    gather_if_due();
    return block;
}

/// Past the caches; `alignment` in granules.
template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_from_space(u64 size, u64 alignment) {
    Result<std::byte*> block = take_from_space(size, alignment);
    if (block) {
        return block;
    }
    if (Cache* const cache = current()) { // what rests may be what is missing
        empty(*cache);
    }
    empty_depot();
    return take_from_space(size, alignment);
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::take_from_space(u64 size, u64 alignment) {
    u64 const count = heap::granules_for(size);
    Locked const locked(*this);
    u64 const before = m_space.commits();
    u64 const granule = TRY(m_space.take(count, alignment));
    if (count <= heap::small_granules_max) {
        m_map.set_live(granule, static_cast<u32>(count - 1));
    } else {
        m_map.set_large(granule, count);
    }
    m_direct_requested += size;
    m_direct_reserved += count << heap::granule_shift;
    note_growth(before);
    return block_at(granule);
}

/// A little longer code of which many rest here, ready to be popped, or 0.
template<HeapBacking Backing, HeapEnvironment Environment>
u32 Heap<Backing, Environment>::borrow(Cache& cache, u32 code) const {
    u32 const last = std::min(code + code / 16, heap::code_count - 1);
    for (u32 other = code + 1; other <= last; ++other) {
        if (cache.count(other) > batch_of(other) / 2) {
            if (cache.out_count(other) == 0) {
                cache.turn_over(other);
            }
            return other;
        }
    }
    return 0;
}

/// Fills the empty stack that is taken from with a batch of holes; false if there is none.
template<HeapBacking Backing, HeapEnvironment Environment>
bool Heap<Backing, Environment>::fill(Cache& cache, u32 code) {
    u32 magazine = cache.out_magazine(code);
    if (magazine == 0) {
        magazine = new_magazine();
        if (magazine == 0) {
            return false;
        }
        cache.set_out(code, magazine, 0);
    }
    std::span<u32> const slots = heap::items_at(base(), magazine, 0, batch_of(code));
    usize got = 0;
    {
        Locked const locked(*this);
        u64 const before = m_space.commits();
        Result<usize> const taken = m_space.take_many(heap::code_granules(code), slots);
        if (!taken) {
            return false;
        }
        got = taken.value();
        note_growth(before);
    }
    std::span<u32> const filled = slots.first(got);
    for (u32 const granule : filled) {
        m_map.set_resting(granule, code);
    }
    std::ranges::reverse(filled); // the lowest address goes first
    cache.set_out(code, magazine, static_cast<u32>(got));
    return true;
}

/// Swaps the stack that is filled, which is full, for an empty one; false if the depot has enough.
template<HeapBacking Backing, HeapEnvironment Environment>
bool Heap<Backing, Environment>::deposit(Cache& cache, u32 code) {
    u64 const bytes = cache.in_count(code) * heap::code_bytes(code);
    u64 const held = m_depot_bytes.load(relaxed);
    u64 const budget = m_depot_budget.load(relaxed);
    if (held + bytes > budget) {
        if (held > 2 * budget) { // less is in use than when it was filled
            m_gather_due.store(true, relaxed);
        }
        return false;
    }
    u32 const magazine = cache.in_magazine(code);
    heap::item_at(base(), magazine) = cache.in_count(code);
    m_depot_bytes.fetch_add(bytes, relaxed);
    u32 const empty = m_depot.put(code, magazine);
    if (empty == m_depot.refused) {
        m_depot_bytes.fetch_sub(mutant(Mutant::heap_depot_uncounted) ? 0 : bytes, relaxed);
        return false;
    }
    cache.set_in(code, empty, 0, heap::magazine_items);
    return true;
}

/// Swaps the empty stack that is taken from for a full one; false if the depot has none.
template<HeapBacking Backing, HeapEnvironment Environment>
bool Heap<Backing, Environment>::withdraw(Cache& cache, u32 code) {
    u32 const magazine = m_depot.take(code, cache.out_magazine(code));
    if (magazine == 0) {
        return false;
    }
    u32 const items = heap::item_at(base(), magazine);
    m_depot_bytes.fetch_sub(items * heap::code_bytes(code), relaxed);
    cache.set_out(code, magazine, items);
    return true;
}

/// Gives what rests in the depot back to the space.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::empty_depot() {
    for (u32 code = 1; code < heap::code_count && m_depot_bytes.load(relaxed) != 0; ++code) {
        while (u32 const magazine = m_depot.take(code, 0)) {
            u32 const items = heap::item_at(base(), magazine);
            spill(code, heap::items_at(base(), magazine, 0, items));
            give_depot_magazine_back(magazine, items * heap::code_bytes(code));
        }
    }
}

/// The magazine came from the depot, and the blocks that it held are back in the space.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::give_depot_magazine_back(u32 magazine, u64 bytes) {
    m_depot_bytes.fetch_sub(bytes, relaxed);
    Locked const locked(*this);
    give_magazine_back(magazine);
}

template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::empty(Cache& cache) {
    for (u32 code = 1; code < heap::code_count; ++code) {
        spill_oldest(cache, code, cache.in_count(code));
        spill_out(cache, code);
    }
    empty_quick(cache);
}

/// After growth: what rests in the depot, in quick lists and on long stacks is of other lengths and
/// shall serve before more grows. Outside every scope, so that each piece has its own.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::gather() {
    for (u32 code = 1; code < heap::code_count && m_depot_bytes.load(relaxed) != 0; ++code) {
        while (u32 const magazine = m_depot.take(code, 0)) { // no other has it now
            u32 const items = heap::item_at(base(), magazine);
            for (u32 at = 0; at < items; at += gather_batch) {
                u32 const count = std::min(gather_batch, items - at);
                typename Environment::Scope const scope(m_environment);
                spill(code, heap::items_at(base(), magazine, at, count));
            }
            typename Environment::Scope const scope(m_environment);
            give_depot_magazine_back(magazine, items * heap::code_bytes(code));
        }
    }
    for (u32 list = 0; list < heap::QuickLists::list_count; ++list) {
        typename Environment::Scope const scope(m_environment);
        if (Cache* const cache = current()) {
            spill_quick(*cache, list);
        }
    }
    for (u32 code = 1; code < heap::code_count; ++code) {
        while (gather_from_cache(code)) {
        }
    }
}

/// Gives the oldest blocks of a long stack back to the space; false if it is short.
template<HeapBacking Backing, HeapEnvironment Environment>
bool Heap<Backing, Environment>::gather_from_cache(u32 code) {
    typename Environment::Scope const scope(m_environment);
    Cache* const cache = current(); // perhaps another processor's than before
    if (cache == nullptr || cache->in_count(code) * heap::code_bytes(code) <= gather_least) {
        return false;
    }
    spill_oldest(*cache, code, std::min(gather_batch, cache->in_count(code)));
    return true;
}

/// Gives blocks that rested in a cache back to the space.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::spill(u32 code, std::span<u32 const> blocks) {
    if (blocks.empty()) {
        return;
    }
    Locked const locked(*this);
    for (u32 const granule : blocks) {
        CHECK(m_map.is_resting(granule, code)); // else it was handed out twice
        m_map.erase(granule);
    }
    m_space.give_many(heap::code_granules(code), blocks);
}

template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::spill_oldest(Cache& cache, u32 code, u32 count) {
    spill(code, cache.in_blocks(code).first(count));
    cache.drop_in(code, count);
}

template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::spill_out(Cache& cache, u32 code) {
    spill(code, cache.out_blocks(code));
    cache.set_out(code, cache.out_magazine(code), 0);
}

/// Lets one more block onto a stack that is at its limit: raises the limit while the cache is below
/// its budget, takes an empty stack for it, or empties half of this stack or of others, in turn.
/// False if there is no memory for a stack.
template<HeapBacking Backing, HeapEnvironment Environment>
bool Heap<Backing, Environment>::make_room(Cache& cache, u32 code) {
    u32 const batch = batch_of(code);
    u64 const budget = m_budget.load(relaxed);
    u32 const have = cache.in_count(code);
    u64 held = have == heap::magazine_items ? 0 : cache.bytes();
    u64 const wanted = batch * heap::code_bytes(code);
    if (have == heap::magazine_items || (have >= batch && held + wanted > budget)) {
        if (cache.out_count(code) == 0) {
            cache.turn_over(code);
        } else if (!deposit(cache, code)) {
            spill_oldest(cache, code, have);
        }
    } else {
        for (u32 turn = 1; turn < heap::code_count && held + wanted > budget; ++turn) {
            held -= reduce(cache, cache.next_victim());
        }
    }
    if (cache.in_magazine(code) == 0) {
        u32 const magazine = new_magazine();
        if (magazine == 0) {
            return false;
        }
        cache.set_in(code, magazine, 0, 0);
    }
    u32 const left = cache.in_count(code);
    cache.set_in(code, cache.in_magazine(code), left, left + batch);
    return true;
}

/// Gives about half of what rests in the two stacks of `victim` to the depot or the space; returns
/// how many bytes.
template<HeapBacking Backing, HeapEnvironment Environment>
u64 Heap<Backing, Environment>::reduce(Cache& cache, u32 victim) {
    u32 const before = cache.count(victim);
    if (before < 2) {
        return 0;
    }
    if (cache.out_count(victim) == 0) {
        cache.turn_over(victim);
    }
    u32 const from_in = std::min((before + 1) / 2, cache.in_count(victim));
    if (from_in != cache.in_count(victim) || from_in < batch_of(victim) / 2 ||
        !deposit(cache, victim)) {
        spill_oldest(cache, victim, from_in);
    }
    u32 const left = cache.in_count(victim);
    cache.set_in(victim, cache.in_magazine(victim), left, left);
    if (from_in < (before + 1) / 2) {
        spill_out(cache, victim);
    }
    return (before - cache.count(victim)) * heap::code_bytes(victim);
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::free_slowly(std::byte* block) {
    Result<void> const done = free_past_the_cache(block);
    gather_if_due();
    return done;
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::free_past_the_cache(std::byte* block) {
    typename Environment::Scope const scope(m_environment);
    u64 const granule = granule_of(block);
    if (granule >= m_extent.load(relaxed)) {
        return contains(block) ? Error::invalid_argument : Error::out_of_range;
    }
    u32 const code = m_map.live_code(granule);
    if (code >= heap::code_count) {
        if (mutant(Mutant::heap_double_free) && m_map.is_resting(granule)) {
            return {};
        }
        return misuse(granule);
    }
    if (code == heap::BlockMap::large) {
        bool const rests = shelve(granule, m_map.large_granules(granule));
        return rests ? Result<void>() : free_to_space(granule);
    }
    Cache* cache = current();
    if (cache == nullptr) {
        cache = attach();
        if (cache == nullptr) {
            return free_to_space(granule);
        }
    }
    if (!cache->give(block)) {
        if (!make_room(*cache, code)) {
            return free_to_space(granule);
        }
        bool const given = cache->give(block);
        CHECK(given);
    }
    return {};
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::free_to_space(u64 granule) {
    Locked const locked(*this);
    u32 const code = m_map.live_code(granule); // again: another may have been faster
    if (code >= heap::code_count) {
        return Error::invalid_state;
    }
    u64 const count = block_granules(granule, code);
    if (code == heap::BlockMap::large) {
        m_map.erase_large(granule);
    } else {
        m_map.erase(granule);
    }
    m_space.give({granule, count});
    return {};
}

/// What is wrong with a pointer at which no live block begins.
template<HeapBacking Backing, HeapEnvironment Environment>
Error Heap<Backing, Environment>::misuse(u64 granule) {
    Locked const locked(*this);
    bool const rests = m_map.is_resting(granule) || m_map.is_resting_medium(granule);
    bool const resting = rests && !m_map.is_length(granule);
    bool const interior = m_space.is_taken(granule) && !resting;
    return interior ? Error::invalid_argument : Error::invalid_state;
}

} // namespace twofold::memory
