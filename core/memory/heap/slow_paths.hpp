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
    while (index < known && cache_at(index).is_attached()) {
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
    cache.attach();
    m_environment.set_slot(&cache);
    return &cache;
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<std::byte*> Heap<Backing, Environment>::allocate_by_refill(u64 size) {
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
    u32 from = code;
    if (cache->out_count(code) == 0) {
        if (cache->in_count(code) != 0) {
            cache->turn_over(code);
        } else {
            from = borrow(*cache, code);
        }
    }
    if (from == 0) {
        Result<void> filled = refill(*cache, code);
        if (!filled) { // what rests here may be what is missing
            empty(*cache);
            filled = refill(*cache, code);
        }
        TRY(filled);
        from = code;
    }
    u32 granule = 0;
    bool const popped = cache->pop(from, granule);
    CHECK(popped);
    return hand_out(*cache, from, granule, size);
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

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::refill(Cache& cache, u32 code) {
    std::span<u32> const slots = cache.refill_slots(code, batch_of(code));
    usize got = 0;
    {
        Locked const locked(*this);
        got = TRY(m_space.take_many(heap::code_granules(code), slots));
    }
    std::span<u32> const blocks = slots.first(got);
    std::reverse(blocks.begin(), blocks.end()); // the lowest address goes first
    for (u32 const granule : blocks) {
        m_map.set_resting(granule, code);
    }
    cache.refilled(code, static_cast<u32>(got));
    return {};
}

/// Gives blocks that rested in a cache back to the space.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::spill(u32 code, std::span<u32 const> blocks) {
    if (blocks.empty()) {
        return;
    }
    u64 const length = heap::code_granules(code);
    Locked const locked(*this);
    heap::Run run{blocks[0], 0}; // what was allocated in a row often comes back in a row
    for (u32 const granule : blocks) {
        CHECK(m_map.resting_code(granule) == code); // else it was handed out twice
        m_map.erase(granule);
        if (granule == run.first + run.count) {
            run.count += length;
        } else {
            m_space.give(run);
            run = {granule, length};
        }
    }
    m_space.give(run);
}

template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::spill_oldest(Cache& cache, u32 code, u32 count) {
    spill(code, cache.in_blocks(code).first(count));
    cache.drop_in(code, count);
}

/// Lets one more block onto a stack that is at its limit: raises the limit while the cache is below
/// its budget, else empties half of this stack or of others, in turn.
template<HeapBacking Backing, HeapEnvironment Environment>
void Heap<Backing, Environment>::make_room(Cache& cache, u32 code) {
    u32 const batch = batch_of(code);
    u64 const wanted = batch * heap::code_bytes(code);
    u64 const budget = m_budget.load(relaxed);
    u64 held = cache.bytes();
    for (u32 turn = 1; turn < heap::code_count && held + wanted > budget; ++turn) {
        u32 const victim = cache.next_victim();
        if (cache.out_count(victim) == 0) {
            cache.turn_over(victim);
        }
        u32 const out = cache.out_count(victim);
        u32 const half = (cache.count(victim) + 1) / 2;
        if (half >= 2) {
            u32 const from_in = std::min(half, cache.in_count(victim));
            spill_oldest(cache, victim, from_in);
            cache.set_limit(victim, cache.in_count(victim));
            held -= from_in * heap::code_bytes(victim);
            if (from_in < half && out == cache.out_count(victim)) {
                spill(victim, cache.out_blocks(victim));
                cache.drop_out(victim);
                held -= out * heap::code_bytes(victim);
            }
        }
    }
    if (cache.in_count(code) == Cache::stack_max) {
        if (cache.out_count(code) == 0) {
            cache.turn_over(code);
        } else {
            spill_oldest(cache, code, (Cache::stack_max + 1) / 2);
        }
    }
    cache.set_limit(code, cache.in_count(code) + batch);
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::free_slowly(std::byte* block) {
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
    bool const pushed = cache->push(code, static_cast<u32>(granule));
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
