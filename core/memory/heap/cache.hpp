// The front end of one processor or thread: for each small length two magazines of blocks that rest
// here, and quick lists of medium ones. Blocks are taken from one and put on the other; when the
// first is empty they change places. So an allocation never waits for what the free before it
// stored, and a processor runs both at once. Only the owner touches a cache; others read the
// counts.
//
// Everything that a fast path reads lies here, so that it needs one pointer.
//
// Source: J. Bonwick and J. Adams, "Magazines and vmem", USENIX 2001, section 3.1; one stack to
// take from and one to fill as D. Leijen, B. Zorn and L. de Moura use two free lists a page
// ("Mimalloc: free list sharding in action", APLAS 2019, section 2.4).
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/block_map.hpp"
#include "core/memory/heap/geometry.hpp"
#include "core/memory/heap/magazine.hpp"
#include "core/memory/heap/quick_lists.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace twofold::memory::heap {

/// Where a heap's things lie, as the fast paths need them.
struct Ground {
    std::byte* base = nullptr;     ///< of the range
    std::byte* blocks = nullptr;   ///< the first granule
    std::span<Atomic<u8>> windows; ///< the block map
};

class alignas(64) Cache { // no line is shared with a neighbour
public:
    /// Makes a cache of zeroed memory, or of one that was given up: without a magazine.
    void attach(Ground const& ground, u64 extent) {
        m_ground = ground;
        set_extent(extent);
        m_attached.store(true, relaxed);
    }
    /// The owner is gone; no block and no magazine is left.
    void give_up() { m_attached.store(false, release); }
    bool is_attached() const { return m_attached.load(acquire); }

    /// How many granules there are; under the heap's lock, from any processor.
    void set_extent(u64 granules) { m_extent.store(granules, relaxed); }

    /// A block of `size` bytes that rested here, handed out; null if there is none.
    [[gnu::always_inline]] std::byte* take(u64 size) {
        if (size - 1 >= small_bytes_max) [[unlikely]] {
            return nullptr;
        }
        u64 const code = ((size - 1) >> granule_shift) + (size <= granule_bytes ? 1 : 0);
        return take(static_cast<u32>(code), size);
    }
    /// As above, of those of `code`.
    [[gnu::always_inline]] std::byte* take(u32 code, u64 size) {
        u64 const word = m_out[code].load(relaxed);
        if (word % magazine_bytes == 0) [[unlikely]] {
            return nullptr;
        }
        u64 const granule = item_at(m_ground.base, static_cast<u32>(word));
        m_out[code].store(word + (size << requested_shift) - item_bytes, relaxed);
        Atomic<u8>& window = m_ground.windows[granule / window_granules];
        window.store(static_cast<u8>(window.load(relaxed) | BlockMap::live), relaxed);
        return byte_at(m_ground.blocks, granule << granule_shift);
    }

    /// Lets the live small block at `block` rest here. False if the stack of its length is at its
    /// limit, and for everything that is no live small block.
    [[gnu::always_inline]] bool give(std::byte const* block) {
        u64 const offset = address_of(block) - address_of(m_ground.blocks);
        u64 const granule = std::rotr(offset, static_cast<int>(granule_shift));
        if (granule >= m_extent.load(relaxed)) [[unlikely]] {
            return false;
        }
        Atomic<u8>& window = m_ground.windows[granule / window_granules];
        u32 const entry = window.load(relaxed);
        In& in = m_in[entry ^ (static_cast<u32>(offset) & BlockMap::odd)];
        u32 const top = in.top.load(relaxed);
        if (top == in.limit) [[unlikely]] { // so it is for a kind that no live small block has
            return false;
        }
        item_at(m_ground.base, top + item_bytes) = static_cast<u32>(granule);
        in.top.store(top + item_bytes, relaxed);
        window.store(static_cast<u8>(entry & ~BlockMap::live), relaxed);
        return true;
    }

    u32 out_count(u32 code) const { return out(code).items(); }
    u32 in_count(u32 code) const { return in(code).items(); }
    u32 count(u32 code) const { return out_count(code) + in_count(code); }
    /// How many blocks of this code were ever taken.
    u64 taken(u32 code) const { return m_loaded[code].load(relaxed) - out_count(code); }
    /// A medium block was taken.
    void note_medium(u64 requested_bytes, u64 reserved_bytes) {
        m_requested.store(m_requested.load(relaxed) + requested_bytes, relaxed);
        m_medium_reserved.store(m_medium_reserved.load(relaxed) + reserved_bytes, relaxed);
    }
    /// Bytes of the medium blocks that were ever taken.
    u64 medium_reserved() const { return m_medium_reserved.load(relaxed); }
    /// Bytes for which blocks were taken, ever. O(codes).
    u64 requested() const {
        u64 total = m_requested.load(relaxed);
        for (u32 code = 1; code < code_count; ++code) {
            total += m_out[code].load(relaxed) >> requested_shift;
        }
        return total;
    }
    /// Bytes at rest in magazines. O(codes).
    u64 bytes() const {
        u64 total = 0;
        for (u32 code = 1; code < code_count; ++code) {
            total += count(code) * code_bytes(code);
        }
        return total;
    }

    u32 out_magazine(u32 code) const { return out(code).magazine(); }
    u32 in_magazine(u32 code) const { return in(code).magazine(); }

    /// From here on blocks are taken from `magazine` (or 0) with its `items`; what was there before
    /// is empty or the caller's.
    void set_out(u32 code, u32 magazine, u32 items) {
        u64 const before = m_out[code].load(relaxed);
        u32 const left = out_count(code);
        m_requested.store(m_requested.load(relaxed) + (before >> requested_shift), relaxed);
        m_loaded[code].store(m_loaded[code].load(relaxed) + items - left, relaxed);
        m_out[code].store(Place::of(magazine, items).offset, relaxed);
    }
    /// From here on blocks are put on `magazine` (or 0) with its `items`, up to `limit` of them.
    void set_in(u32 code, u32 magazine, u32 items, u32 limit) {
        In& in = m_in[BlockMap::kind_of(code)];
        in.top.store(Place::of(magazine, items).offset, relaxed);
        in.limit = magazine == 0 ? 0 : Place::of(magazine, std::min(limit, magazine_items)).offset;
    }
    u32 limit(u32 code) const { return Place{m_in[BlockMap::kind_of(code)].limit}.items(); }

    /// The two magazines change places; the one that is taken from must be empty.
    void turn_over(u32 code) {
        CHECK(out_count(code) == 0);
        u32 const empty = out_magazine(code);
        u32 const limit_before = limit(code);
        Place const filled = in(code);
        set_out(code, filled.magazine(), filled.items());
        set_in(code, empty, 0, limit_before);
    }

    std::span<u32> out_blocks(u32 code) {
        return items_at(m_ground.base, out_magazine(code), 0, out_count(code));
    }
    /// The blocks of the magazine that is filled, oldest first; `drop_in` forgets the oldest.
    std::span<u32> in_blocks(u32 code) {
        return items_at(m_ground.base, in_magazine(code), 0, in_count(code));
    }
    void drop_in(u32 code, u32 blocks) {
        std::span<u32> const all = in_blocks(code);
        std::copy(all.begin() + blocks, all.end(), all.begin());
        u32 const left = in_count(code) - blocks;
        m_in[BlockMap::kind_of(code)].top.store(Place::of(in_magazine(code), left).offset, relaxed);
    }

    /// The code that gives next when the cache holds too much: each in turn.
    u32 next_victim() {
        m_hand = m_hand % (code_count - 1) + 1;
        return m_hand;
    }

private:
    static constexpr unsigned requested_shift = 32;

    struct In {
        Atomic<u32> top; ///< the Place of the block that was put there last
        u32 limit;       ///< the Place where it must stop
    };

    Place out(u32 code) const { return {static_cast<u32>(m_out[code].load(relaxed))}; }
    Place in(u32 code) const { return {m_in[BlockMap::kind_of(code)].top.load(relaxed)}; }

    Ground m_ground;
    Atomic<u64> m_extent;
    std::array<Atomic<u64>, code_count>
        m_out;                            ///< the Place of the next, bytes requested since set_out
    std::array<In, BlockMap::kinds> m_in; ///< by kind; zero, so full, for what is none
    std::array<Atomic<u64>, code_count> m_loaded; ///< blocks that ever came to be taken from
    Atomic<u64> m_requested;
    Atomic<u64> m_medium_reserved;
    Atomic<bool> m_attached;
    u32 m_hand;

public:
    QuickLists quick; ///< medium blocks that rest here
};

} // namespace twofold::memory::heap
