// The debugging layer's book of blocks: open addressing with linear probing over one array, which
// lies in a block of the allocator below. Nothing of it lies beside the block that it describes.
//
// Source: D. Knuth, "The art of computer programming", volume 3, section 6.4, algorithms L and R
// (deletion without marks, by moving back what probed past the gap).
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/heap/raw.hpp"

#include <algorithm>
#include <span>

namespace twofold::memory::debug {

enum class BlockState : u32 {
    none,
    live,
    quarantined, ///< given back, and kept for a while
};

/// One block.
struct BlockRecord {
    std::byte* block; ///< what was handed out
    std::byte* start; ///< of the block below, so of the red zone in front
    u64 size;         ///< what was asked for
    u64 rear;         ///< bytes of the red zone behind
    u64 number;       ///< of the allocation
    u32 site;
    u32 freed_site;
    BlockState state;
    u32 front; ///< bytes of the red zone in front

    u64 whole() const { return front + size + rear; }
};
static_assert(sizeof(BlockRecord) == 56);

/// Not thread-safe.
template<Allocator Inner>
class BlockTable {
public:
    usize count() const { return m_count; }

    /// Makes room for one more. Errors: those of allocate. O(1) amortised.
    Result<void> reserve_one(Inner& inner) {
        return (m_count + 1) * 4 <= m_slots.size() * 3
                   ? Result<void>()
                   : rehash(inner, std::max(m_slots.size() * 2, capacity_least));
    }
    /// Enters a block that is not in the table; there is room for it.
    void insert(BlockRecord const& record) {
        CHECK(record.block != nullptr && m_count < m_slots.size());
        usize slot = home(record.block);
        while (m_slots[slot].block != nullptr) {
            CHECK(m_slots[slot].block != record.block);
            slot = after(slot);
        }
        m_slots[slot] = record;
        ++m_count;
    }
    /// The record of the block that was handed out at `block`, or null. Valid until the next
    /// change. O(1) expected.
    BlockRecord* find(std::byte const* block) {
        if (m_slots.empty() || block == nullptr) {
            return nullptr;
        }
        usize slot = home(block);
        while (m_slots[slot].block != nullptr && m_slots[slot].block != block) {
            slot = after(slot);
        }
        return m_slots[slot].block == block ? &m_slots[slot] : nullptr;
    }
    void erase(std::byte const* block) {
        BlockRecord* const record = find(block);
        CHECK(record != nullptr);
        usize gap = static_cast<usize>(record - m_slots.data());
        m_slots[gap] = {};
        --m_count;
        for (usize slot = after(gap); m_slots[slot].block != nullptr; slot = after(slot)) {
            // A record moves into the gap unless it lies between its home and where it is.
            usize const mask = m_slots.size() - 1;
            usize const wanted = home(m_slots[slot].block);
            if (((slot - wanted) & mask) >= ((slot - gap) & mask)) {
                m_slots[gap] = m_slots[slot];
                m_slots[slot] = {};
                gap = slot;
            }
        }
    }
    /// Calls visit(BlockRecord&) for each, in no order.
    template<class Visitor>
    void for_each(Visitor const& visit) {
        for (BlockRecord& record : m_slots) {
            if (record.block != nullptr) {
                visit(record);
            }
        }
    }

    /// Takes no more room than the blocks need, if there is memory to move to. O(capacity).
    void shrink(Inner& inner) {
        if (m_count == 0) {
            give_back(inner);
            return;
        }
        usize capacity = capacity_least;
        while (m_count * 4 > capacity * 3) {
            capacity *= 2;
        }
        if (capacity < m_slots.size()) {
            Result<void> const moved = rehash(inner, capacity);
            static_cast<void>(moved); // a table that is larger than it need be is no error
        }
    }
    void give_back(Inner& inner) {
        if (!m_slots.empty()) {
            Result<void> const freed = inner.free(room_for<std::byte>(m_slots.data()));
            CHECK(freed.has_value());
            m_slots = {};
        }
    }

private:
    static constexpr usize capacity_least = 64;

    /// Fibonacci hashing; addresses are multiples of 16.
    usize home(std::byte const* block) const {
        u64 const mixed = (heap::address_of(block) >> 4) * 0x9E37'79B9'7F4A'7C15;
        return static_cast<usize>(mixed >> 32) & (m_slots.size() - 1);
    }
    usize after(usize slot) const { return (slot + 1) & (m_slots.size() - 1); }

    Result<void> rehash(Inner& inner, usize capacity) {
        Bytes const size{capacity * sizeof(BlockRecord)};
        std::byte* const room = TRY(inner.allocate(size, default_alignment));
        unpoison(room, size.value);
        std::span<BlockRecord> const before = m_slots;
        m_slots = std::span(room_for<BlockRecord>(room), capacity);
        m_count = 0;
        for (BlockRecord& slot : m_slots) {
            std::construct_at(&slot, BlockRecord{});
        }
        for (BlockRecord const& record : before) {
            if (record.block != nullptr) {
                insert(record);
            }
        }
        if (!before.empty()) {
            Result<void> const freed = inner.free(room_for<std::byte>(before.data()));
            CHECK(freed.has_value());
        }
        return {};
    }

    std::span<BlockRecord> m_slots; ///< a power of two of them
    usize m_count = 0;
};

} // namespace twofold::memory::debug
