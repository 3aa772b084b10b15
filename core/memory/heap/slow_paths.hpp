// What the heap does once a fast path cannot go on: it attaches a cache, fills one, empties one, or
// goes past the caches to the space. Part of heap.hpp.
#pragma once

#include "core/memory/heap/heap_object.hpp"

#include <cstring>

namespace twofold::memory {

/// The caller's cache, taken from those given up or made; null if there is no room for one more.
template<HeapBacking Backing, HeapEnvironment Environment>
heap::Cache* Heap<Backing, Environment>::attach() {
    Locked const locked(*this);
    usize const known = m_caches.load(relaxed);
    usize index = 0;
    while (index < known && cache_at(index).attached.load(acquire)) {
        ++index;
    }
    if (index == known) {
        if (index == caches_max ||
            !m_backing.commit({heap_bytes + index * cache_bytes}, {cache_bytes})) {
            return nullptr;
        }
        m_caches.store(known + 1, release);
    } else {
        --m_attached; // given up without the lock, so still counted
    }
    ++m_attached;
    Cache& cache = cache_at(index);
    cache.attached.store(true, relaxed);
    m_environment.set_slot(&cache);
    return &cache;
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_slowly(u64 size) {
    if (size == 0) {
        return Error::invalid_argument;
    }
    if (size > heap::small_bytes_max) {
        return allocate_from_space(size, 1);
    }
    u32 const code = static_cast<u32>(heap::granules_for(size) - 1);
    Cache* cache = current();
    if (cache == nullptr) {
        cache = attach();
        if (cache == nullptr) {
            return allocate_from_space(size, 1);
        }
    }
    u32 from = cache->stacks[code].count() != 0 ? code : borrow(*cache, code);
    if (from == 0) {
        Result<void> filled = refill(*cache, code);
        if (!filled) { // what rests here may be what is missing
            empty(*cache);
            filled = refill(*cache, code);
        }
        TRY(filled);
        from = code;
    }
    return hand_out(*cache, from, size);
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_aligned(Bytes size, Bytes alignment) {
    typename Environment::Scope const scope(m_environment);
    if (size.value == 0 || !is_power_of_two(alignment.value)) {
        return Error::invalid_argument;
    }
    return allocate_from_space(size.value, alignment.value >> heap::granule_shift);
}

/// Past the caches; `alignment` in granules.
template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_from_space(u64 size, u64 alignment) {
    u64 const count = heap::granules_for(size);
    Result<u64> taken = Error::out_of_memory;
    {
        Locked const locked(*this);
        taken = m_space.take(count, alignment);
    }
    if (!taken) {
        Cache* const cache = current();
        if (cache == nullptr) {
            return taken.error();
        }
        empty(*cache);
    }
    Locked const locked(*this);
    u64 const granule = taken ? taken.value() : TRY(m_space.take(count, alignment));
    if (count <= heap::small_granules_max) {
        m_map.set_live(granule, static_cast<u32>(count - 1));
    } else {
        m_map.set_large(granule, count);
    }
    m_direct_requested += size;
    m_direct_reserved += count << heap::granule_shift;
    return block_at(granule);
}

/// A little longer stack that is well filled, or 0.
template<HeapBacking Backing, HeapEnvironment Environment>
u32 Heap<Backing, Environment>::borrow(Cache const& cache, u32 code) const {
    u32 const last = std::min(code + code / 16, heap::code_count - 1);
    for (u32 other = code + 1; other <= last; ++other) {
        if (cache.stacks[other].count() > batch_of(other) / 2) {
            return other;
        }
    }
    return 0;
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::refill(Cache& cache, u32 code) {
    Stack& stack = cache.stacks[code];
    CHECK(stack.count() == 0);
    std::span<u32> const starts = cache.items_of(code).first(batch_of(code));
    usize got = 0;
    {
        Locked const locked(*this);
        got = TRY(m_space.take_many(heap::code_granules(code), starts));
    }
    std::reverse(starts.begin(), starts.begin() + static_cast<std::ptrdiff_t>(got));
    for (u32 const granule : starts.first(got)) {
        m_map.set_resting(granule, code);
    }
    stack.set_count(static_cast<u32>(got));
    stack.set_limit(std::max(stack.limit(), static_cast<u32>(got)));
    return {};
}

/// Gives the `count` oldest blocks of a stack back to the space.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::spill(Cache& cache, u32 code, u32 count) {
    if (count == 0) {
        return;
    }
    Stack& stack = cache.stacks[code];
    std::span<u32, Stack::capacity> const items = cache.items_of(code);
    {
        Locked const locked(*this);
        heap::Run run{items[0], 0}; // blocks that were allocated in a row often come back in a row
        for (u32 const granule : items.first(count)) {
            CHECK(m_map.resting_code(granule) == code); // handed out twice, or overwritten
            m_map.erase(granule);
            if (granule == run.first + run.count) {
                run.count += heap::code_granules(code);
            } else {
                m_space.give(run);
                run = {granule, heap::code_granules(code)};
            }
        }
        m_space.give(run);
    }
    u32 const rest = stack.count() - count;
    for (u32 i = 0; i < rest; ++i) {
        items[i] = items[count + i];
    }
    stack.set_count(rest);
}

/// Lets one more block onto a stack that is at its limit: raises the limit while the cache is below
/// its budget, else empties half of this stack or of others, in turn.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::make_room(Cache& cache, u32 code) {
    Stack& stack = cache.stacks[code];
    u32 const batch = batch_of(code);
    u64 const wanted = batch * heap::code_bytes(code);
    u64 const budget = m_budget.load(relaxed);
    u64 held = cache.bytes();
    for (u32 turn = 0; turn < heap::code_count && held + wanted > budget; ++turn) {
        cache.hand = cache.hand % (heap::code_count - 1) + 1;
        Stack& victim = cache.stacks[cache.hand];
        u32 const half = (victim.count() + 1) / 2;
        if (half >= 2) {
            spill(cache, cache.hand, half);
            victim.set_limit(victim.count());
            held -= half * heap::code_bytes(cache.hand);
        }
    }
    if (stack.count() == Stack::capacity) {
        spill(cache, code, Stack::capacity / 2);
    }
    stack.set_limit(std::min(stack.count() + batch, Stack::capacity));
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::free_slowly(std::byte* block) {
    u64 const granule = granule_of(block);
    if (granule >= m_extent.load(relaxed)) {
        return contains(block) ? Error::invalid_argument : Error::out_of_range;
    }
    u32 const code = m_map.live_code(granule);
    if (code >= heap::code_count) {
        return misuse(granule);
    }
    if (code == heap::BlockMap::large) {
        return free_to_space(granule);
    }
    Cache* cache = current();
    if (cache == nullptr) {
        cache = attach();
        if (cache == nullptr) {
            return free_to_space(granule);
        }
    }
    make_room(*cache, code);
    bool const pushed = cache->stacks[code].push(cache->items_of(code), static_cast<u32>(granule));
    CHECK(pushed);
    m_map.set_resting(granule, code);
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
    bool const resting = m_map.is_resting(granule) && !m_map.is_length(granule);
    bool const interior = m_space.is_taken(granule) && !resting;
    return interior ? Error::invalid_argument : Error::invalid_state;
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<Bytes> Heap<Backing, Environment>::usable_size(std::byte* block) {
    typename Environment::Scope const scope(m_environment);
    u64 const granule = granule_of(block);
    if (granule >= m_extent.load(relaxed)) {
        return contains(block) ? Error::invalid_argument : Error::out_of_range;
    }
    u32 const code = m_map.live_code(granule);
    if (code >= heap::code_count) {
        return misuse(granule);
    }
    return Bytes{block_granules(granule, code) << heap::granule_shift};
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*>
Heap<Backing, Environment>::resize(std::byte* block, Bytes size, Bytes alignment) {
    if (size.value == 0 || !is_power_of_two(alignment.value)) {
        return Error::invalid_argument;
    }
    Bytes const usable = TRY(usable_size(block));
    u64 const have = usable.value >> heap::granule_shift;
    u64 const want = heap::granules_for(size.value);
    if (is_aligned(heap::address_of(block), alignment.value)) {
        if (want == have) {
            return block;
        }
        if (have > heap::small_granules_max && want > heap::small_granules_max) {
            typename Environment::Scope const scope(m_environment);
            Locked const locked(*this);
            u64 const granule = granule_of(block);
            if (want < have) {
                m_map.set_large(granule, want);
                m_space.give({granule + want, have - want});
                return block;
            }
            if (want <= m_layout.granules && m_space.take_at(granule + have, want - have)) {
                m_map.set_large(granule, want);
                return block;
            }
        }
    }
    std::byte* const moved = TRY(allocate(size, alignment));
    std::memcpy(moved, block, std::min(size, usable).value);
    Result<void> const freed = free(block);
    CHECK(freed.has_value());
    return moved;
}

} // namespace twofold::memory
