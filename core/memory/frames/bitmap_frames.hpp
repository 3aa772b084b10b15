// The baseline: one bitmap over all frames, searched from the lowest free frame on, under one
// lock. Short enough to be seen to be right; tests and benchmarks hold BuddyFrames against it.
//
// Three bits a frame: managed, free, and first of an allocation. A single frame costs O(frames /
// 64) at worst, a run O(frames). One node; a map whose span is large against its memory is refused
// with out_of_memory.
#pragma once

#include "core/memory/frames/zone_plan.hpp"
#include "core/sync/sync.hpp"

namespace twofold::memory {

class BitmapFrames {
public:
    /// Makes the allocator, in memory that it takes from `config.free` first. Errors:
    /// invalid_argument, see ZonePlans; out_of_memory. O(frames).
    static Result<BitmapFrames*> create(FrameConfig const& config);

    // The concept FrameAllocator; see there.
    Result<PhysAddr> allocate(unsigned order);
    Result<PhysAddr> allocate(FrameRequest const& request);
    Result<void> free(PhysAddr address, unsigned order);
    Result<void> free_pages(PhysAddr address, u64 pages);
    void drain() {}
    FrameStatistics statistics() const;
    FrameDefect validate() const;

private:
    /// A bit for each frame of the span.
    class Bits {
    public:
        void adopt(std::span<u64> words) { m_words = words; }
        bool test(u64 index) const { return (m_words[index / 64] >> index % 64 & 1) != 0; }
        void assign(u64 begin, u64 end, bool value);
        /// The first index in [begin, end) whose bit is `value`, else `end`.
        u64 find(u64 begin, u64 end, bool value) const;

    private:
        std::span<u64> m_words;
    };

    /// What a walk has come across so far.
    struct Seen {
        u64 managed = 0;
        u64 free = 0;
        bool in_allocation = false;
    };

    BitmapFrames(FrameNumber first, FrameNumber end) : m_first(first), m_end(end) {}

    FrameDefect validate_part(FrameNumber begin, FrameNumber end, Seen& seen) const
        REQUIRES(m_lock);
    Result<FrameNumber> take(FrameRequest const& request) REQUIRES(m_lock);
    Result<FrameNumber> take_there(FrameRequest const& request) REQUIRES(m_lock);
    std::optional<FrameNumber>
    search(FrameRequest const& request, FrameNumber begin, FrameNumber end) const REQUIRES(m_lock);
    Result<void> give_back(PhysAddr address, u64 pages, Bytes alignment);
    FrameMisuse misuse_of(FrameNumber begin, u64 pages) const REQUIRES(m_lock);

    FrameNumber const m_first;
    FrameNumber const m_end;
    mutable sync::SpinLock m_lock{sync::LockRank::frames};
    Bits m_managed GUARDED_BY(m_lock);
    Bits m_free GUARDED_BY(m_lock);
    Bits m_starts GUARDED_BY(m_lock);
    /// No frame from 1 MiB up to here is free.
    FrameNumber m_lowest GUARDED_BY(m_lock) = 0;
    FrameStatistics m_counts GUARDED_BY(m_lock);
};
static_assert(FrameAllocator<BitmapFrames>);

} // namespace twofold::memory
