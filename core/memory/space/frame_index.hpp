// Page numbers to frames, for what is filled page by page: a radix tree of frames, 512 words each,
// as deep as the number of pages asks for. Empty parts take no memory.
#pragma once

#include "core/memory/space/frame_stock.hpp"

#include <optional>

namespace twofold::memory {

/// Holds an owner's share of every frame in it. One user at a time changes it; others may look
/// meanwhile.
class FrameIndex {
public:
    static constexpr u64 fanout = 512;
    static constexpr u64 pages_max = fanout * fanout * fanout * fanout;

    /// For page numbers below `pages`, which is at most pages_max.
    FrameIndex(SharedFrames& frames, u64 pages);
    FrameIndex(FrameIndex const&) = delete;
    FrameIndex& operator=(FrameIndex const&) = delete;
    ~FrameIndex() { clear(); }

    /// The frame of page `number`, if it has one. Any context; O(depth).
    std::optional<PhysAddr> get(u64 number) const;
    /// Gives page `number`, which has none, a frame. Errors: busy (the stock is short). O(depth).
    Result<void> set(u64 number, PhysAddr frame, FrameStock& stock);
    /// Releases all frames and tables. O(pages in use).
    void clear();

    /// Frames that the tree itself takes. O(1).
    u64 tables() const { return m_tables; }

private:
    using Word = Atomic<u64>;

    Word& word(PhysAddr table, u64 number, unsigned level) const;
    Result<PhysAddr> add_table(FrameStock& stock);
    void clear(PhysAddr table, unsigned level);

    SharedFrames& m_frames;
    u64 m_pages;
    unsigned m_depth = 1; ///< levels of tables
    u64 m_tables = 0;
    Word m_root{0}; ///< frame 0 is none
};

} // namespace twofold::memory
