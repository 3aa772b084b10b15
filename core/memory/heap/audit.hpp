// What the heap tells about itself: statistics, and the walk that compares the space, the block map
// and the caches. Part of heap.hpp.
#pragma once

#include "core/memory/heap/heap_object.hpp"

namespace twofold::memory {

template<HeapBacking Backing, HeapEnvironment Environment>
AllocatorStatistics Heap<Backing, Environment>::statistics() const {
    typename Environment::Scope const scope(m_environment);
    AllocatorStatistics found;
    usize const caches = m_caches.load(acquire);
    for (usize i = 0; i < caches; ++i) {
        Cache const& cache = cache_at(i);
        found.cached += Bytes{cache.bytes() + cache.quick.bytes()};
        found.requested_ever += Bytes{cache.requested()};
        found.reserved_ever += Bytes{cache.medium_reserved()};
        for (u32 code = 1; code < heap::code_count; ++code) {
            found.reserved_ever += Bytes{cache.taken(code) * heap::code_bytes(code)};
        }
    }
    found.cached += Bytes{m_depot_bytes.load(relaxed)};
    m_environment.lock();
    u64 const used = m_space.used_granules() << heap::granule_shift;
    u64 const pages = m_space.committed_pages();
    found.requested_ever += Bytes{m_direct_requested};
    found.reserved_ever += Bytes{m_direct_reserved};
    found.committed = {
        heap_bytes + pages_for(caches, cache_bytes) + pages_for(m_magazines, heap::magazine_bytes) +
        m_space.table_bytes() + pages * page_size.value};
    m_environment.unlock();
    // Counts of other caches may be a moment old.
    found.reserved = {used - std::min(used, found.cached.value)};
    return found;
}

template<HeapBacking Backing, HeapEnvironment Environment>
Result<void> Heap<Backing, Environment>::verify() {
    typename Environment::Scope const scope(m_environment);
    Locked const locked(*this);
    if (!m_space.is_consistent()) {
        return Error::corrupted;
    }
    u64 at = 0;
    u64 covered = 0;
    u64 resting = 0;
    while ((at = m_space.first_taken(at)) != m_space.none) {
        if (m_map.is_resting_medium(at)) {
            u64 const length = m_map.medium_granules(at);
            if (m_space.free_from(at, length)) {
                return Error::corrupted;
            }
            resting += length << heap::granule_shift;
            covered += length;
            at += length;
            continue;
        }
        u32 code = m_map.live_code(at);
        if (code >= heap::code_count) {
            code = m_map.resting_code(at);
            if (code == heap::BlockMap::large || code >= heap::code_count) {
                return Error::corrupted; // taken, but no block begins here
            }
            resting += heap::code_bytes(code);
        }
        u64 const count = block_granules(at, code);
        bool const blank = code == heap::BlockMap::large || m_map.is_blank(at, count);
        if (!blank || m_space.free_from(at, count)) {
            return Error::corrupted;
        }
        covered += count;
        at += count;
    }
    u64 cached = m_depot_bytes.load(relaxed);
    for (usize i = 0; i < m_caches.load(relaxed); ++i) {
        cached += cache_at(i).bytes() + cache_at(i).quick.bytes();
    }
    bool const good = covered == m_space.used_granules() && resting == cached;
    return good ? Result<void>() : Result<void>(Error::corrupted);
}

} // namespace twofold::memory
