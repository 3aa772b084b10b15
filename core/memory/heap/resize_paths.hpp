// Another size for a block: in place where that is free, else by a copy. Part of heap.hpp.
#pragma once

#include "core/memory/heap/heap_object.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::memory {

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
                if (!mutant(Mutant::heap_tail_lost)) {
                    m_space.give({granule + want, have - want});
                }
                return block;
            }
            if (want <= m_layout.granules && m_space.take_at(granule + have, want - have)) {
                m_map.set_large(granule, want);
                return block;
            }
        }
    }
    auto const room = allocate(size, alignment);
    if (!room) {
        if (mutant(Mutant::heap_resize_freed)) {
            free(block).value();
        }
        return room.error();
    }
    std::byte* const moved = room.value();
    u64 const kept = std::min(size, usable).value;
    std::memcpy(moved, block, mutant(Mutant::heap_resize_short) ? kept - 1 : kept);
    Result<void> const freed = free(block);
    CHECK(freed.has_value());
    return moved;
}

} // namespace twofold::memory
