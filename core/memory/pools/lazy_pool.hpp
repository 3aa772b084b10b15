// LazyPool<T>: objects of one type in slots of one size, up to a fixed number. Pages are taken when
// slots are needed and given back when a chunk of slots is empty.
//
//     range of the backing:  header | chunk records | generations | gap | slots
//
// Slots lie alone behind a gap that is never committed and at least a slot wide, and the range ends
// behind them: what runs over a slot's end reaches other slots, at worst, and past the first or
// last committed one it faults (a PoolWindow has a guard behind its range). No record lies among
// the slots, so none is lost. What is free is said twice, in a chunk's bitmap and in the parity of
// the slot's generation; `verify` compares.
//
// Every operation is O(1): a chunk has at most 512 slots, whose bitmap is eight words.
//
// Source: J. Bonwick, "The slab allocator: an object-caching kernel memory allocator", USENIX
// Summer 1994, for chunks that are full, partial and empty; generations after the slot maps of game
// engines (A. Weissflog, "Handles are the better pointers", 2018).
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/backing.hpp"
#include "core/memory/heap/raw.hpp"
#include "core/memory/pools/pool_lock.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace twofold::memory {

/// Names one object of a pool for as long as it lives. What a slot holds later has another handle,
/// until the slot was used 2^31 times.
struct PoolHandle {
    u32 slot = ~u32{0};
    u32 generation = 0;

    constexpr bool operator==(PoolHandle const&) const = default;
};

struct PoolStatistics {
    u64 capacity = 0;
    u64 live = 0;
    u64 live_max = 0;  ///< the most that ever lived at once
    u64 made_ever = 0; ///< objects
    u64 refused = 0;   ///< objects for which there was no slot or no memory
    u64 misuses = 0;   ///< pointers and handles that were refused
    u64 chunks = 0;    ///< that are committed
    Bytes slot{};      ///< what an object takes up
    Bytes chunk{};
    Bytes committed{}; ///< slots and records
};

template<class T, HeapBacking B, PoolLock Lock = SingleContext>
class LazyPool {
    struct Key {};
    struct Plan;

public:
    static constexpr u64 capacity_max = u64{1} << 31;
    static constexpr Bytes slot_size{align_up(sizeof(T), std::max<u64>(alignof(T), 8))};
    static_assert(alignof(T) <= page_size.value, "slots are aligned to a page at most");

    /// The size of a range in which `capacity` slots fit. O(1).
    static constexpr Bytes range_for(u64 capacity) { return plan(capacity).size; }

    /// A pool in the range of `backing`, which outlives it. Takes a page or two; slots come later.
    /// Errors: invalid_argument (no capacity, or above capacity_max), no_space (the range is too
    /// small), those of commit.
    static Result<LazyPool*> create(B& backing, u64 capacity) {
        if (capacity == 0 || capacity > capacity_max) {
            return Error::invalid_argument;
        }
        Plan const layout = plan(capacity);
        if (backing.range().size < layout.size) {
            return Error::no_space;
        }
        TRY(backing.commit({0}, {header_bytes}));
        static_assert(sizeof(LazyPool) <= header_bytes);
        return std::construct_at(room_for<LazyPool>(backing.range().base), Key(), backing, layout);
    }

    /// Gives everything back. The pool is gone then. Errors: busy, while an object lives. O(pages).
    static Result<void> close(LazyPool& pool) {
        if (pool.m_live != 0) {
            return Error::busy;
        }
        pool.trim();
        B& backing = pool.m_backing;
        u64 const records = pool.m_records_end;
        u64 const generations = pool.m_generations_end;
        Plan const layout = pool.m_plan;
        std::destroy_at(&pool);
        if (generations != layout.generations) {
            backing.decommit({layout.generations}, {generations - layout.generations});
        }
        if (records != layout.records) {
            backing.decommit({layout.records}, {records - layout.records});
        }
        backing.decommit({0}, {header_bytes});
        return {};
    }

    LazyPool(Key, B& backing, Plan const& layout)
        : m_backing(backing),
          m_base(backing.range().base),
          m_plan(layout),
          m_records_end(layout.records),
          m_generations_end(layout.generations) {}
    LazyPool(LazyPool const&) = delete;
    LazyPool& operator=(LazyPool const&) = delete;

    /// Makes an object of `arguments`. Errors: no_space (as many live as there may), those of the
    /// backing's commit. O(1).
    template<class... Arguments>
    Result<T*> make(Arguments&&... arguments) {
        std::byte* const place = TRY(take());
        return std::construct_at(room_for<T>(place), std::forward<Arguments>(arguments)...);
    }

    /// Ends the object. Errors: out_of_range (a foreign pointer), invalid_argument (no slot begins
    /// there), invalid_state (nothing lives there). O(1).
    Result<void> destroy(T* object) { return end<T const*>(object); }
    /// The same by handle. Errors: out_of_range (no such slot), invalid_state (the object is gone).
    Result<void> destroy(PoolHandle handle) { return end(handle); }

    /// The handle of an object. Errors: as destroy's. O(1).
    Result<PoolHandle> handle_of(T const* object) {
        typename Lock::Guard const guard(m_lock);
        u64 const slot = TRY(noting(find_slot(object)));
        return PoolHandle{static_cast<u32>(slot), generation(slot)};
    }
    /// The object that a handle names. Errors: as destroy's. O(1).
    Result<T*> find(PoolHandle handle) {
        typename Lock::Guard const guard(m_lock);
        return room_for<T>(place_of(TRY(noting(find_slot(handle)))));
    }

    /// Gives the chunk back that is kept for the next object. O(1).
    void trim() {
        typename Lock::Guard const guard(m_lock);
        if (m_spare != none) {
            give_chunk_back(std::exchange(m_spare, none));
        }
    }

    /// Calls visit(T&) for every object, by rising address. Nothing else may run in the pool
    /// meanwhile. O(slots ever used).
    template<class Visit>
    void for_each(Visit&& visit) {
        for (u64 slot = 0; slot < m_fresh * slots_per_chunk && slot < m_plan.capacity; ++slot) {
            if (is_live(slot)) {
                visit(*room_for<T>(place_of(slot)));
            }
        }
    }

    PoolStatistics statistics() {
        typename Lock::Guard const guard(m_lock);
        u64 const records = m_records_end - m_plan.records;
        u64 const generations = m_generations_end - m_plan.generations;
        return {
            .capacity = m_plan.capacity,
            .live = m_live,
            .live_max = m_live_max,
            .made_ever = m_made_ever,
            .refused = m_refused,
            .misuses = m_misuses,
            .chunks = m_chunks,
            .slot = slot_size,
            .chunk = {chunk_bytes},
            .committed = {header_bytes + records + generations + m_chunks * chunk_bytes}};
    }

    /// Walks all records. Errors: corrupted. Nothing else may run in the pool. O(slots ever used).
    Result<void> verify() {
        u64 live = 0;
        u64 partial = 0;
        u64 chunks = 0;
        for (u32 index = 0; index < m_fresh; ++index) {
            if (!is_chunk_sound(index)) {
                return Error::corrupted;
            }
            Chunk const& chunk = chunk_at(index);
            live += chunk.used;
            partial += is_partial(index) ? 1 : 0;
            chunks += chunk.state == ChunkState::committed ? 1 : 0;
        }
        u64 listed = 0;
        u32 before = none;
        for (u32 index = m_partial; index != none; index = chunk_at(index).next) {
            if (!is_partial(index) || chunk_at(index).previous != before || ++listed > partial) {
                return Error::corrupted;
            }
            before = index;
        }
        bool const sound = live == m_live && listed == partial && chunks == m_chunks &&
                           (m_spare == none || chunk_at(m_spare).used == 0);
        return sound ? Result<void>() : Result<void>(Error::corrupted);
    }

private:
    static constexpr u32 none = ~u32{0};
    static constexpr u64 page = page_size.value;

    /// Bytes of a chunk: the fewest pages of which at most an eighth is wasted, eight at most; or
    /// as many as one slot needs.
    static constexpr u64 chunk_size() {
        for (u64 pages = 1; pages <= 8; ++pages) {
            u64 const whole = pages * page;
            if (slot_size.value <= whole && whole % slot_size.value * 8 <= whole) {
                return whole;
            }
        }
        return align_up(slot_size.value, page);
    }
    static constexpr u64 chunk_bytes = chunk_size();
    static constexpr u64 slots_per_chunk = chunk_bytes / slot_size.value;
    static constexpr u64 words_per_chunk = (slots_per_chunk + 63) / 64;
    static_assert(words_per_chunk <= 8, "finding a slot is O(1)");

    enum class ChunkState : u32 { returned, committed };
    struct Chunk {
        ChunkState state = ChunkState::returned;
        u32 used = 0;        ///< slots that hold an object, or are about to
        u32 next = none;     ///< of the list of partial or of returned chunks
        u32 previous = none; ///< of the list of partial chunks
        u64 free[words_per_chunk] = {};
    };

    /// Offsets inside the range.
    struct Plan {
        u64 capacity;
        u64 chunks;
        u64 records;
        u64 generations;
        u64 slots;
        Bytes size;
    };
    static constexpr Plan plan(u64 capacity) {
        u64 const chunks = (capacity + slots_per_chunk - 1) / slots_per_chunk;
        u64 const records = header_bytes;
        u64 const generations = align_up(records + chunks * sizeof(Chunk), page);
        u64 const gap = align_up(generations + capacity * sizeof(u32), page);
        u64 const slots = gap + align_up(std::max(page, slot_size.value), page);
        return {capacity, chunks, records, generations, slots, {slots + chunks * chunk_bytes}};
    }
    static constexpr u64 header_bytes = page;

    Chunk& chunk_at(u64 index) const {
        return heap::table_at<Chunk>(m_base, m_plan.records, m_plan.chunks)[index];
    }
    u32& generation(u64 slot) const {
        return heap::table_at<u32>(m_base, m_plan.generations, m_plan.capacity)[slot];
    }
    std::byte* place_of(u64 slot) const {
        u64 const within = slot % slots_per_chunk * slot_size.value;
        return heap::byte_at(m_base, m_plan.slots + slot / slots_per_chunk * chunk_bytes + within);
    }
    u64 slots_of(u64 chunk) const {
        return std::min(slots_per_chunk, m_plan.capacity - chunk * slots_per_chunk);
    }
    bool is_live(u64 slot) const { return generation(slot) % 2 == 1; }
    bool is_partial(u32 index) const {
        Chunk const& chunk = chunk_at(index);
        return chunk.state == ChunkState::committed && index != m_spare &&
               chunk.used < slots_of(index);
    }

    // Inside the guard.
    Result<u64> find_slot(T const* object) const {
        u64 const offset = heap::address_of(object) - heap::address_of(m_base) - m_plan.slots;
        u64 const chunk = offset / chunk_bytes;
        if (chunk >= m_plan.chunks) {
            return Error::out_of_range;
        }
        u64 const within = offset % chunk_bytes;
        u64 const index = within / slot_size.value;
        if (within % slot_size.value != 0 || index >= slots_of(chunk)) {
            return Error::invalid_argument;
        }
        u64 const slot = chunk * slots_per_chunk + index;
        bool const lives = chunk < m_fresh && is_live(slot);
        return lives ? Result<u64>(slot) : Result<u64>(Error::invalid_state);
    }
    Result<u64> find_slot(PoolHandle handle) const {
        if (handle.slot >= m_plan.capacity) {
            return Error::out_of_range;
        }
        bool const lives =
            handle.slot / slots_per_chunk < m_fresh && is_live(handle.slot) &&
            (generation(handle.slot) == handle.generation || mutant(Mutant::pools_handle_revived));
        return lives ? Result<u64>(handle.slot) : Result<u64>(Error::invalid_state);
    }
    Result<u64> noting(Result<u64> found) {
        m_misuses += found ? 0 : 1;
        return found;
    }

    /// A slot for an object that does not exist yet.
    Result<std::byte*> take() {
        typename Lock::Guard const guard(m_lock);
        Result<u64> const slot = take_slot();
        if (!slot) {
            ++m_refused;
            return slot.error();
        }
        ++generation(slot.value());
        ++m_made_ever;
        m_live_max = std::max(m_live_max, ++m_live);
        return place_of(slot.value());
    }
    Result<u64> take_slot() {
        if (m_live == m_plan.capacity) {
            return Error::no_space;
        }
        if (m_partial == none) {
            link(TRY(open_chunk()));
        }
        u32 const index = m_partial;
        Chunk& chunk = chunk_at(index);
        for (u64 word = 0; word < words_per_chunk; ++word) {
            if (chunk.free[word] != 0) {
                u64 const bit = static_cast<u64>(std::countr_zero(chunk.free[word]));
                chunk.free[word] &= chunk.free[word] - 1;
                if (++chunk.used == slots_of(index)) {
                    unlink(index);
                }
                return index * slots_per_chunk + word * 64 + bit;
            }
        }
        UNREACHABLE(); // a partial chunk has a free slot
    }

    /// Ends what `name` names. Its handle is dead before its destructor runs, and its slot is free
    /// after it.
    template<class Name>
    Result<void> end(Name name) {
        T* object = nullptr;
        u64 slot = 0;
        {
            typename Lock::Guard const guard(m_lock);
            slot = TRY(noting(find_slot(name)));
            ++generation(slot);
            object = room_for<T>(place_of(slot));
        }
        std::destroy_at(object);
        typename Lock::Guard const guard(m_lock);
        give_slot_back(slot);
        return {};
    }
    void give_slot_back(u64 slot) {
        u32 const index = static_cast<u32>(slot / slots_per_chunk);
        u64 const bit = slot % slots_per_chunk;
        Chunk& chunk = chunk_at(index);
        CHECK((chunk.free[bit / 64] >> bit % 64 & 1) == 0 && chunk.used > 0);
        if (chunk.used == slots_of(index)) {
            link(index);
        }
        chunk.free[bit / 64] |= u64{1} << bit % 64;
        --m_live;
        if (--chunk.used == 0) {
            unlink(index);
            if (m_spare == none) {
                m_spare = index;
            } else {
                give_chunk_back(index);
            }
        }
    }

    void link(u32 index) {
        Chunk& chunk = chunk_at(index);
        chunk.previous = none;
        chunk.next = m_partial;
        if (m_partial != none) {
            chunk_at(m_partial).previous = index;
        }
        m_partial = index;
    }
    void unlink(u32 index) {
        Chunk& chunk = chunk_at(index);
        (chunk.previous == none ? m_partial : chunk_at(chunk.previous).next) = chunk.next;
        if (chunk.next != none) {
            chunk_at(chunk.next).previous = chunk.previous;
        }
        chunk.next = chunk.previous = none;
    }

    /// An empty chunk with pages behind it: the one that is kept, one that was given back before,
    /// or the next that nobody used yet.
    Result<u32> open_chunk() {
        if (m_spare != none) {
            return std::exchange(m_spare, none);
        }
        bool const is_fresh = m_returned == none;
        u32 const index = is_fresh ? m_fresh : m_returned;
        if (is_fresh) {
            TRY(commit_records(index));
        }
        auto const committed =
            probe::fails(FaultPoint::pools_extend)
                ? Result<void>(Error::out_of_memory)
                : m_backing.commit({m_plan.slots + index * chunk_bytes}, {chunk_bytes});
        if (!committed && !is_fresh && mutant(Mutant::pools_chunk_lost)) {
            m_returned = chunk_at(index).next;
        }
        TRY(committed);
        Chunk& chunk = chunk_at(index);
        if (is_fresh) {
            std::construct_at(&chunk);
            ++m_fresh;
        } else {
            m_returned = std::exchange(chunk.next, none);
        }
        chunk.state = ChunkState::committed;
        for (u64 slot = 0; slot < slots_of(index); ++slot) {
            chunk.free[slot / 64] |= u64{1} << slot % 64;
        }
        ++m_chunks;
        return index;
    }
    void give_chunk_back(u32 index) {
        Chunk& chunk = chunk_at(index);
        CHECK(chunk.used == 0 && chunk.state == ChunkState::committed);
        m_backing.decommit({m_plan.slots + index * chunk_bytes}, {chunk_bytes});
        chunk.state = ChunkState::returned;
        std::ranges::fill(chunk.free, u64{0});
        chunk.next = std::exchange(m_returned, index);
        --m_chunks;
    }
    /// Sees to it that the records of chunk `index` and of its slots can be written.
    Result<void> commit_records(u64 index) {
        TRY(grow(m_records_end, m_plan.records + (index + 1) * sizeof(Chunk)));
        u64 const slots = index * slots_per_chunk + slots_of(index);
        return grow(m_generations_end, m_plan.generations + slots * sizeof(u32));
    }
    Result<void> grow(u64& end, u64 wanted) {
        u64 const whole = align_up(wanted, page);
        if (whole > end) {
            TRY(m_backing.commit({end}, {whole - end}));
            end = whole;
        }
        return {};
    }

    bool is_chunk_sound(u32 index) const {
        Chunk const& chunk = chunk_at(index);
        u64 free = 0;
        for (u64 const word : chunk.free) {
            free += static_cast<u64>(std::popcount(word));
        }
        bool const committed = chunk.state == ChunkState::committed;
        bool sound = free == (committed ? slots_of(index) - chunk.used : 0) &&
                     (committed || chunk.used == 0);
        for (u64 slot = 0; slot < slots_of(index); ++slot) {
            bool const is_free = (chunk.free[slot / 64] >> slot % 64 & 1) != 0;
            bool const lives = is_live(index * slots_per_chunk + slot);
            sound = sound && (committed ? lives != is_free : !lives);
        }
        return sound;
    }

    B& m_backing;
    std::byte* const m_base;
    Plan const m_plan;
    Lock m_lock;
    // All of these are guarded by m_lock, as are the records.
    u64 m_records_end;     ///< the records before it are committed
    u64 m_generations_end; ///< so are the generations before it
    u64 m_live = 0;
    u64 m_live_max = 0;
    u64 m_made_ever = 0;
    u64 m_refused = 0;
    u64 m_misuses = 0;
    u64 m_chunks = 0;
    u32 m_fresh = 0;       ///< chunks below it were used before
    u32 m_partial = none;  ///< chunks with objects and free slots
    u32 m_spare = none;    ///< a chunk that is empty and kept
    u32 m_returned = none; ///< chunks that were given back
};

} // namespace twofold::memory
