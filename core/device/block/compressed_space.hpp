// Which pages of a device a compressed disk uses. A page that the state on the device refers to
// is not given out again before the next state has taken its place: after a power cut it is needed.
//
// Not thread-safe. Invariant: a page is free, fresh (taken since the last commit), kept (the state
// on the device and the one in memory refer to it) or leaving (the state on the device alone does).
#pragma once

#include "core/memory/memory.hpp"

#include <span>

namespace twofold::block::compressed {

class Space {
public:
    explicit Space(memory::KernelHeap& heap) : m_used(heap), m_fresh(heap), m_leaving(heap) {}

    /// All of `pages` pages are free, but for the first `reserved`. Errors: out_of_memory.
    Result<void> prepare(u64 pages, u64 reserved);
    /// Marks pages that the state on the device refers to. Errors: corrupted (two do). O(pages).
    Result<void> keep(u64 first, u32 pages);

    /// Pages in one run, near where the last run was. Errors: no_space. O(pages of the device).
    Result<u64> take(u32 pages);
    /// The state in memory does not refer to them any more. O(pages).
    void leave(u64 first, u32 pages);
    /// The state in memory is on the device now. O(pages of the device / 64).
    void commit();

    u64 free_pages() const { return m_free; }
    /// Whether a commit would free some.
    bool has_leaving() const { return m_leaving_count != 0; }

private:
    using Words = memory::Vector<u64, memory::KernelHeap>;

    bool is_set(Words const& words, u64 page) const {
        return (words[page / 64] >> page % 64 & 1) != 0;
    }
    static void set(Words& words, u64 page) { words[page / 64] |= u64{1} << page % 64; }
    static void clear(Words& words, u64 page) { words[page / 64] &= ~(u64{1} << page % 64); }
    u64 run_from(u64 first, u64 end, u32 pages) const;

    u64 m_pages = 0;
    u64 m_next = 0; ///< where the next run is looked for
    u64 m_free = 0;
    u64 m_leaving_count = 0;
    Words m_used;
    Words m_fresh;
    Words m_leaving;
};

} // namespace twofold::block::compressed
