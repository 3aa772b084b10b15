// Translations that have become stale, gathered, so that a whole operation costs one flush; and the
// frames that may be given back only when no processor can reach them any more.
//
// Order: entries change first, then one flush, then frames go back. The flush comes while the lock
// of the tables is still held, so that nobody maps something else at an address that a processor
// may still translate; frames go back behind the lock. Frames that were mapped wait in an array,
// which bounds what one step under the lock may take away. A retired table holds the link to the
// next one in itself: read as an entry such a link is not present, so that a processor that still
// walks the table finds nothing there.
//
// Other processors are reached through what the frames were handed for it (remote_flush.hpp).
#pragma once

#include "core/memory/space/shared_frames.hpp"

namespace twofold::memory {

class FlushBatch {
public:
    /// Whether any processor can hold translations of the space that changes.
    enum class Reach : u8 { cached, nowhere };
    /// Frames, or large pages, that one step may set free.
    static constexpr usize waiting_max = 32;

    FlushBatch(SharedFrames& frames, Reach reach) : m_frames(frames), m_reach(reach) {}
    FlushBatch(FlushBatch const&) = delete;
    FlushBatch& operator=(FlushBatch const&) = delete;
    ~FlushBatch() { finish(); }

    /// The translations of [address, address + size) have changed. O(1).
    void note(VirtAddr address, Bytes size);
    /// Releases this owner's share of a block after the flush; waiting_max of them at most. O(1).
    void release(PhysAddr block, unsigned order);
    /// Gives a table, or a frame of nodes, back after the flush; nothing leads to it any more.
    /// O(1).
    void retire_table(PhysAddr table);

    /// From now on. Under the lock of the tables.
    void set_reach(Reach reach) { m_reach = reach; }
    /// Whether a translation that was noted since the last flush lies in [first, first + size).
    bool has_noted(VirtAddr first, Bytes size) const {
        return m_first <= first.value + (size.value - 1) && m_last >= first.value;
    }
    /// Flushes what was noted, on all processors. O(pages), or O(1) for many.
    void flush();
    /// Flushes, then gives back what was released. The batch can be used again. Not under the lock.
    void finish();

    /// How often the machine was asked to flush since this was asked last. O(1).
    u64 take_flushes() { return std::exchange(m_flushes, 0); }

private:
    struct Waiting {
        PhysAddr block;
        unsigned order;
    };

    SharedFrames& m_frames;
    Reach m_reach;
    u64 m_first = ~u64{0};
    u64 m_last = 0;
    PhysAddr m_tables{}; ///< frame 0 is none
    u64 m_flushes = 0;
    FixedVector<Waiting, waiting_max> m_waiting;
};

} // namespace twofold::memory
