// Fault injection: any allocator of frames, with allocations that fail on demand. A test asks how
// many allocations an operation makes, then lets each of them fail, once and from then on.
#pragma once

#include "core/memory/frames/frame_allocator.hpp"

namespace twofold::memory {

/// Models FrameAllocator over another one, which must outlive it. Allocations are numbered from 1,
/// anew with each of fail_at, fail_from and never_fail.
template<FrameAllocator F>
class FailingFrames {
public:
    explicit FailingFrames(F& frames) : m_frames(frames) {}

    /// Allocation `number` fails with out_of_memory, those before and after it do not.
    void fail_at(u64 number) { arm(number, number); }
    /// Every allocation from `number` on fails.
    void fail_from(u64 number) { arm(number, ~u64{0}); }
    void never_fail() { arm(0, 0); }
    /// How many allocations were asked for since then, failed or not.
    u64 asked() const { return m_asked.load(relaxed); }
    /// How many of them were made to fail.
    u64 failed() const { return m_failed.load(relaxed); }

    Result<PhysAddr> allocate(unsigned order) {
        return fails() ? Result<PhysAddr>(Error::out_of_memory) : m_frames.allocate(order);
    }
    Result<PhysAddr> allocate(FrameRequest const& request) {
        return fails() ? Result<PhysAddr>(Error::out_of_memory) : m_frames.allocate(request);
    }
    Result<void> free(PhysAddr address, unsigned order) { return m_frames.free(address, order); }
    Result<void> free_pages(PhysAddr address, u64 pages) {
        return m_frames.free_pages(address, pages);
    }
    void drain() { m_frames.drain(); }
    FrameStatistics statistics() const { return m_frames.statistics(); }
    FrameDefect validate() const { return m_frames.validate(); }

private:
    void arm(u64 first, u64 last) {
        m_first.store(first, relaxed);
        m_last.store(last, relaxed);
        m_asked.store(0, relaxed);
        m_failed.store(0, relaxed);
    }
    bool fails() {
        u64 const number = m_asked.fetch_add(1, relaxed) + 1;
        bool const chosen = number >= m_first.load(relaxed) && number <= m_last.load(relaxed);
        m_failed.fetch_add(chosen ? 1 : 0, relaxed);
        return chosen;
    }

    F& m_frames;
    Atomic<u64> m_first{0};
    Atomic<u64> m_last{0};
    Atomic<u64> m_asked{0};
    Atomic<u64> m_failed{0};
};

} // namespace twofold::memory
