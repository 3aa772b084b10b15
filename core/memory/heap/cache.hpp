// The front end of one processor or thread: for each small length two stacks of blocks that rest
// here. Blocks are taken from one and put on the other; when the first is empty they change places.
// So an allocation never waits for what the free before it stored, and a processor runs both at
// once. Only the owner touches a cache; others read the counts.
//
// Source: two stacks as in J. Bonwick and J. Adams, "Magazines and vmem", USENIX 2001, section 3.1,
// used as D. Leijen, B. Zorn and L. de Moura use two free lists a page ("Mimalloc: free list
// sharding in action", APLAS 2019, section 2.4).
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/geometry.hpp"

#include <algorithm>
#include <array>

namespace twofold::memory::heap {

class Cache {
public:
    /// How many blocks one stack holds.
    static constexpr u32 stack_max = 63;

    /// Makes a cache of zeroed memory, or of one that was given up.
    void attach() {
        for (u32 code = 1; code < code_count; ++code) {
            CHECK(count(code) == 0);
            u32 const base = code * 2 * slots;
            m_out[code].store((m_out[code].load(relaxed) & ~index_mask) | base, relaxed);
            m_in[code].index.store(base + slots, relaxed);
            m_in[code].limit = base + slots;
        }
        m_attached.store(true, relaxed);
    }
    /// The owner is gone; the cache is empty.
    void give_up() { m_attached.store(false, release); }
    bool is_attached() const { return m_attached.load(acquire); }

    /// Takes the block that was put here last of those it gives from. `granule` is unchanged if
    /// there is none: then `turn_over` or a refill helps.
    [[gnu::always_inline]] bool pop(u32 code, u32& granule) {
        u64 const word = m_out[code].load(relaxed);
        if (word % slots == 0) [[unlikely]] {
            return false;
        }
        m_out[code].store(word + taken_one - 1, relaxed);
        granule = m_items[(word & index_mask) - 1];
        return true;
    }
    /// Puts a block on the stack that is filled; false if that is at its limit.
    [[gnu::always_inline]] bool push(u32 code, u32 granule) {
        u32 const index = m_in[code].index.load(relaxed);
        if (index == m_in[code].limit) [[unlikely]] {
            return false;
        }
        m_items[index] = granule;
        m_in[code].index.store(index + 1, relaxed);
        return true;
    }
    [[gnu::always_inline]] void add_waste(u64 bytes) {
        m_waste.store(m_waste.load(relaxed) + bytes, relaxed);
    }

    u32 out_count(u32 code) const { return m_out[code].load(relaxed) % slots; }
    u32 in_count(u32 code) const { return m_in[code].index.load(relaxed) % slots; }
    u32 count(u32 code) const { return out_count(code) + in_count(code); }
    /// How many blocks of this code were ever taken.
    u64 taken(u32 code) const { return m_out[code].load(relaxed) >> index_bits; }
    u64 waste() const { return m_waste.load(relaxed); }
    /// Bytes at rest. O(codes).
    u64 bytes() const {
        u64 total = 0;
        for (u32 code = 1; code < code_count; ++code) {
            total += count(code) * code_bytes(code);
        }
        return total;
    }

    /// The two stacks change places; the one that is given from must be empty.
    void turn_over(u32 code) {
        CHECK(out_count(code) == 0);
        u64 const word = m_out[code].load(relaxed);
        u32 const filled = m_in[code].index.load(relaxed);
        u32 const limit = m_in[code].limit % slots;
        u32 const base = static_cast<u32>(word & index_mask);
        m_out[code].store((word & ~index_mask) | filled, relaxed);
        m_in[code].index.store(base, relaxed);
        m_in[code].limit = base + limit;
    }

    /// Room for blocks on the stack that is given from, which must be empty; `refilled` then says
    /// how many were put there. The first is given last.
    std::span<u32> refill_slots(u32 code, u32 most) {
        CHECK(out_count(code) == 0);
        u64 const base = m_out[code].load(relaxed) & index_mask;
        return std::span(m_items).subspan(base, std::min(most, stack_max));
    }
    void refilled(u32 code, u32 blocks) {
        m_out[code].store(m_out[code].load(relaxed) + blocks, relaxed);
    }

    /// The blocks of the stack that is filled, oldest first; `drop_in` forgets the oldest.
    std::span<u32> in_blocks(u32 code) {
        u32 const filled = in_count(code);
        return std::span(m_items).subspan(m_in[code].index.load(relaxed) - filled, filled);
    }
    void drop_in(u32 code, u32 blocks) {
        std::span<u32> const all = in_blocks(code);
        std::copy(all.begin() + blocks, all.end(), all.begin());
        m_in[code].index.store(m_in[code].index.load(relaxed) - blocks, relaxed);
    }
    std::span<u32> out_blocks(u32 code) {
        u32 const filled = out_count(code);
        u64 const index = m_out[code].load(relaxed) & index_mask;
        return std::span(m_items).subspan(index - filled, filled);
    }
    void drop_out(u32 code) {
        m_out[code].store(m_out[code].load(relaxed) - out_count(code), relaxed);
    }

    /// How many blocks the stack that is filled may hold.
    void set_limit(u32 code, u32 blocks) {
        u32 const index = m_in[code].index.load(relaxed);
        m_in[code].limit = index - index % slots + std::min(blocks, stack_max);
    }

    /// The code that gives next when the cache holds too much: each in turn.
    u32 next_victim() {
        m_hand = m_hand % (code_count - 1) + 1;
        return m_hand;
    }

private:
    static constexpr u32 slots = stack_max + 1; ///< so that an index tells the count
    static constexpr u64 item_count = u64{code_count} * 2 * slots;
    static constexpr unsigned index_bits = 16;
    static constexpr u64 index_mask = (u64{1} << index_bits) - 1;
    static constexpr u64 taken_one = u64{1} << index_bits;
    static_assert(item_count < index_mask);

    struct In {
        Atomic<u32> index; ///< in m_items, behind the block that was put there last
        u32 limit;         ///< likewise, where it must stop
    };

    std::array<Atomic<u64>, code_count> m_out; ///< index likewise, above it how many were taken
    std::array<In, code_count> m_in;
    std::array<u32, item_count> m_items;
    Atomic<u64> m_waste; ///< bytes by which blocks exceeded their requests, ever
    Atomic<bool> m_attached;
    u32 m_hand;
};

} // namespace twofold::memory::heap
