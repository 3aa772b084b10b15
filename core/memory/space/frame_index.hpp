// Page numbers to frames, for what is filled page by page: a radix tree of frames, 512 words each,
// as deep as the number of pages asks for. Empty parts take no memory.
#pragma once

#include "core/memory/space/shared_frames.hpp"

#include <optional>

namespace twofold::memory {

/// Holds an owner's share of every frame in it. Not thread-safe.
class FrameIndex {
public:
    static constexpr u64 fanout = 512;
    static constexpr u64 pages_max = fanout * fanout * fanout * fanout;

    /// For page numbers below `pages`, which is at most pages_max.
    FrameIndex(SharedFrames& frames, u64 pages);
    FrameIndex(FrameIndex const&) = delete;
    FrameIndex& operator=(FrameIndex const&) = delete;
    ~FrameIndex() { clear(); }

    /// The frame of page `number`, if it has one. O(depth).
    std::optional<PhysAddr> get(u64 number) const;
    /// Gives page `number`, which has none, a frame. Errors: out_of_memory. O(depth).
    Result<void> set(u64 number, PhysAddr frame);
    /// Releases all frames and tables. O(pages in use).
    void clear();

    /// Frames that the tree itself takes. O(1).
    u64 tables() const { return m_tables; }

private:
    using Word = Atomic<u64>;

    Word& word(PhysAddr table, u64 number, unsigned level) const;
    Result<PhysAddr> add_table();
    void clear(PhysAddr table, unsigned level);

    SharedFrames& m_frames;
    u64 m_pages;
    unsigned m_depth = 1; ///< levels of tables
    u64 m_tables = 0;
    PhysAddr m_root{}; ///< frame 0 is none
};

} // namespace twofold::memory
