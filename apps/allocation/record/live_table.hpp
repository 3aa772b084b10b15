// The recorder's table of live blocks: from an address to the object that the trace calls it. Open
// addressing with linear probing; deletion moves later entries back, so that there are no
// tombstones (Knuth, The Art of Computer Programming, volume 3, section 6.4, algorithm R). Memory
// comes straight from the host by mmap: the recorder never allocates through what it records. Not
// thread-safe.
#pragma once

#include "core/base/base.hpp"

#include <bit>
#include <span>
#include <sys/mman.h>
#include <utility>

namespace twofold::allocation {

struct LiveBlock {
    u64 address = 0; ///< 0: the entry is empty
    u64 object = 0;
    u64 size = 0;
    u64 alignment_log2 = 0; ///< 0: as malloc gives it
};

class LiveTable {
public:
    LiveTable() = default;
    LiveTable(LiveTable const&) = delete;
    LiveTable& operator=(LiveTable const&) = delete;

    /// Adds a block; an entry of the same address is replaced. False if the host has no memory.
    /// Expected amortised O(1).
    bool insert(LiveBlock const& block) {
        if (m_used * 2 >= m_entries.size() && !grow()) {
            return false;
        }
        place(block);
        return true;
    }

    /// Takes the block at `address` out, or returns one whose address is 0. Expected O(1).
    LiveBlock take(u64 address) {
        if (m_entries.empty()) {
            return {};
        }
        usize hole = slot_of(address);
        while (m_entries[hole].address != address) {
            if (m_entries[hole].address == 0) {
                return {};
            }
            hole = next(hole);
        }
        LiveBlock const taken = m_entries[hole];
        for (usize at = next(hole); m_entries[at].address != 0; at = next(at)) {
            usize const home = slot_of(m_entries[at].address);
            if (distance(home, at) >= distance(hole, at)) {
                m_entries[hole] = m_entries[at];
                hole = at;
            }
        }
        m_entries[hole] = {};
        --m_used;
        return taken;
    }

    usize size() const { return m_used; }

    /// Calls `visit(LiveBlock&)` for every block; it may change all but the address. O(capacity).
    template<class Visit>
    void for_each(Visit&& visit) {
        for (LiveBlock& block : m_entries) {
            if (block.address != 0) {
                visit(block);
            }
        }
    }

private:
    static constexpr usize entries_min = usize{1} << 16;
    static constexpr u64 multiplier = 0x9E37'79B9'7F4A'7C15; // 2^64 divided by the golden ratio

    usize slot_of(u64 address) const {
        return static_cast<usize>(
            address * multiplier >> (64 - std::countr_zero(m_entries.size())));
    }
    usize next(usize slot) const { return (slot + 1) & (m_entries.size() - 1); }
    usize distance(usize from, usize to) const { return (to - from) & (m_entries.size() - 1); }

    void place(LiveBlock const& block) {
        usize slot = slot_of(block.address);
        while (m_entries[slot].address != 0 && m_entries[slot].address != block.address) {
            slot = next(slot);
        }
        m_used += m_entries[slot].address == 0 ? 1 : 0;
        m_entries[slot] = block;
    }

    bool grow() {
        usize const count = m_entries.empty() ? entries_min : m_entries.size() * 2;
        void* const memory = mmap(
            nullptr, count * sizeof(LiveBlock), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
            -1, 0);
        if (memory == MAP_FAILED) {
            return false;
        }
        auto const old =
            std::exchange(m_entries, std::span(static_cast<LiveBlock*>(memory), count));
        m_used = 0;
        for (LiveBlock const& block : old) {
            if (block.address != 0) {
                place(block);
            }
        }
        if (!old.empty()) {
            munmap(old.data(), old.size_bytes());
        }
        return true;
    }

    std::span<LiveBlock> m_entries; // zero pages are empty entries
    usize m_used = 0;
};

} // namespace twofold::allocation
