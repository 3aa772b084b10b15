// The firmware's page tables, built in simulated memory: the linear window and the first stacks.
#pragma once

#include "hal/hosted/firmware/frame_source.hpp"

#include <isa/page_entry.hpp>

namespace hosted::firmware {

class PageTables {
public:
    /// An empty root. Throws OutOfFrames.
    explicit PageTables(FrameSource& frames)
        : m_frames(frames), m_root(frames.take(page_size.value)) {}

    u64 root() const { return m_root; }

    /// Maps [address, address + size) to physical memory from `frame` on, readable and writable,
    /// not executable, global, with the largest leaves up to `level_max` that fit. All aligned to 4
    /// KiB.
    void map(u64 address, u64 frame, u64 size, unsigned level_max);

private:
    void map_leaf(u64 address, u64 frame, unsigned level);
    u64& entry(u64 table, u64 address, unsigned level);

    FrameSource& m_frames;
    u64 m_root;
};

} // namespace hosted::firmware
