// The front end of one processor or thread: for each small length a stack of blocks that rest here.
// Only the owner touches it; others read the counts.
//
// Source: magazines after J. Bonwick and J. Adams, "Magazines and vmem", USENIX 2001, section 3,
// without the exchange of whole magazines: a full stack's older half goes to the back end.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/geometry.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace twofold::memory::heap {

/// The blocks of one code that rest here, by granule number, the latest on top.
class Stack {
public:
    static constexpr u32 capacity = 128;

    u32 count() const { return static_cast<u32>(m_word.load(relaxed) & count_mask); }
    /// How many blocks were ever taken from this stack.
    u64 taken() const { return m_word.load(relaxed) >> count_bits; }
    u32 limit() const { return m_limit; }
    void set_limit(u32 limit) { m_limit = limit; }

    /// Puts a block on top; false if the stack is at its limit.
    bool push(std::span<u32, capacity> items, u32 granule) {
        u64 const word = m_word.load(relaxed);
        u64 const top = word & count_mask;
        if (top >= m_limit) [[unlikely]] {
            return false;
        }
        items[top] = granule;
        m_word.store(word + 1, relaxed);
        return true;
    }
    /// The latest block; the stack must not be empty.
    u32 pop(std::span<u32, capacity> items) {
        u64 const word = m_word.load(relaxed);
        u64 const top = (word & count_mask) - 1;
        m_word.store(word + taken_one - 1, relaxed);
        return items[top];
    }
    void set_count(u32 count) {
        m_word.store((m_word.load(relaxed) & ~count_mask) | count, relaxed);
    }

private:
    static constexpr unsigned count_bits = 16;
    static constexpr u64 count_mask = (u64{1} << count_bits) - 1;
    static constexpr u64 taken_one = u64{1} << count_bits;

    Atomic<u64> m_word{}; ///< count, and above it how many were ever taken
    u32 m_limit = 0;
};

struct Cache {
    std::array<Stack, code_count> stacks;
    Atomic<u64> waste{};     ///< bytes by which blocks exceeded their requests, ever
    Atomic<bool> attached{}; ///< some processor's or thread's
    u32 hand = 0;            ///< the stack that gives next when the cache holds too much
    std::array<std::array<u32, Stack::capacity>, code_count> items;

    std::span<u32, Stack::capacity> items_of(u32 code) { return items[code]; }

    /// Bytes at rest. O(codes).
    u64 bytes() const {
        u64 total = 0;
        for (u32 code = 1; code < code_count; ++code) {
            total += stacks[code].count() * code_bytes(code);
        }
        return total;
    }
};

} // namespace twofold::memory::heap
