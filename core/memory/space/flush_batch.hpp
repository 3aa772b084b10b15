// Translations that have become stale, gathered, so that a whole operation costs one flush; and the
// frames that may be given back only when no processor can reach them any more.
//
// Order: entries change first, then one flush, then frames go back. Frames that were mapped wait in
// an array; when that is full, a flush comes early (as in Linux' mmu_gather). A retired table holds
// the link to the next one in itself: read as an entry such a link is not present, so that a
// processor that still walks the table finds nothing there.
//
// Other processors are reached through what the frames were handed for it (remote_flush.hpp).
#pragma once

#include "core/memory/space/shared_frames.hpp"

namespace twofold::memory {

class FlushBatch {
public:
    /// Whether any processor can hold translations of the space that changes.
    enum class Reach : u8 { cached, nowhere };
    /// Frames, or large pages, that one flush sets free.
    static constexpr usize waiting_max = 64;

    FlushBatch(SharedFrames& frames, Reach reach) : m_frames(frames), m_reach(reach) {}
    FlushBatch(FlushBatch const&) = delete;
    FlushBatch& operator=(FlushBatch const&) = delete;
    ~FlushBatch() { finish(); }

    /// The translations of [address, address + size) have changed. O(1).
    void note(VirtAddr address, Bytes size);
    /// Releases this owner's share of a block after the flush. What was noted so far may be flushed
    /// at once. O(1) amortised.
    void release(PhysAddr block, unsigned order);
    /// Gives a table back after the flush; no entry leads to it any more. O(1).
    void retire_table(PhysAddr table);
    /// Flushes what was noted, then gives back what was released. The batch can be used again.
    void finish();

    /// How often the machine was asked to flush. O(1).
    u64 flushes() const { return m_flushes; }

private:
    struct Waiting {
        PhysAddr block;
        unsigned order;
    };

    void flush();

    SharedFrames& m_frames;
    Reach m_reach;
    u64 m_first = ~u64{0};
    u64 m_last = 0;
    PhysAddr m_tables{}; ///< frame 0 is none
    u64 m_flushes = 0;
    FixedVector<Waiting, waiting_max> m_waiting;
};

} // namespace twofold::memory
