// Who allocates: one entry for each call stack that ever did, with what it has in use. Entries are
// never removed, so a block names its own by a number; the table has a fixed size, and what does
// not fit in it shares entry 0.
#pragma once

#include "core/memory/debug/corruption.hpp"

#include <array>

namespace twofold::memory::debug {

/// One call site and the blocks from there that are in use.
struct CallSite {
    CallStack stack;
    u64 blocks = 0;
    u64 bytes = 0;  ///< asked for in them
    u64 oldest = 0; ///< the number of the oldest of their allocations; current after `leaks` only
    u64 allocations = 0; ///< ever
};

/// Not thread-safe.
class CallSites {
public:
    static constexpr u32 capacity = 1024;
    static constexpr u32 others = 0; ///< where what does not fit is counted

    /// The number of the entry of `stack`, which may be new. O(1) expected.
    u32 find(CallStack const& stack) {
        if (stack.addresses[0] == 0) {
            return others;
        }
        u32 const start = 1 + hash(stack) % (capacity - 1);
        for (u32 probe = 0; probe < probes_max; ++probe) {
            u32 const at = 1 + (start - 1 + probe) % (capacity - 1);
            CallSite& site = m_sites[at];
            if (site.stack.addresses[0] == 0) {
                site.stack = stack;
                return at;
            }
            if (site.stack == stack) {
                return at;
            }
        }
        return others;
    }
    CallSite& operator[](u32 number) {
        CHECK(number < capacity);
        return m_sites[number];
    }
    std::span<CallSite> all() { return m_sites; }

private:
    static constexpr u32 probes_max = 64;

    static u32 hash(CallStack const& stack) {
        u64 mixed = 0;
        for (u64 const address : stack.addresses) {
            mixed = (mixed ^ address) * 0x9E37'79B9'7F4A'7C15;
            mixed ^= mixed >> 32;
        }
        return static_cast<u32>(mixed);
    }

    std::array<CallSite, capacity> m_sites;
};

} // namespace twofold::memory::debug
