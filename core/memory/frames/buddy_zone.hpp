// One zone of the buddy allocator: the blocks of one interval of frames.
//
// A block of order k is 2^k frames whose first number is a multiple of 2^k; its buddy is the block
// of the same order beside it with which it forms one of order k + 1. Allocating takes the free
// block of least sufficient order, the lowest of these by address, and gives back the halves that
// are not needed; freeing joins a block with its buddy as long as that is free. Free blocks of each
// order stand in a bitmap with summaries, so taking the lowest is as cheap as taking any, and
// nothing is ever written into a free frame.
//
// Invariants (validate() walks them): every frame is reserved, in a magazine, or inside exactly one
// block; a free block's buddy is not free as a whole; the bitmaps and the states of the blocks'
// first frames say the same; frames inside of blocks have the state `inside`.
//
// Source: K. Knowlton, "A fast storage allocator", CACM 8(10), 1965; D. Knuth, "The art of computer
// programming", volume 1, section 2.5, algorithms R and S; address order after P. Wilson,
// M. Johnstone, M. Neely and D. Boles, "Dynamic storage allocation: a survey", IWMM 1995.
//
// Costs: 1 byte and 2 + 2/63 bits a frame, holes included. take, put: O(orders), each with
// O(log64 frames) steps; nothing grows with the size of a block.
#pragma once

#include "core/memory/frames/bit_tree.hpp"
#include "core/memory/frames/blocks.hpp"
#include "core/memory/frames/frame_state.hpp"
#include "core/memory/frames/zone_plan.hpp"
#include "core/sync/sync.hpp"

namespace twofold::memory {

class BuddyZone {
public:
    /// A zone as planned, all of it reserved, with its tables in the storage that is next.
    /// Error::no_space.
    static Result<BuddyZone*> create(StorageCursor& storage, ZonePlan const& plan);
    /// How much storage `create` takes at most, the zone itself included. O(orders).
    static Bytes storage_for(ZonePlan const& plan);

    FrameNumber first() const { return m_first; }
    FrameNumber end() const { return m_end; }
    u32 node() const { return m_node; }
    ZoneReach reach() const { return m_reach; }
    /// Whether magazines of `node` keep frames of this zone: not those of the first mebibyte.
    bool is_cached_by(u32 node) const { return m_cached_by == node; }
    sync::SpinLock& lock() const RETURN_CAPABILITY(m_lock) { return m_lock; }

    /// The state of a frame of this zone. Exact for frames that the caller owns; others may be
    /// changing. O(1).
    FrameState state(FrameNumber frame) const {
        return FrameState(m_states[index_of(frame)].load(relaxed));
    }
    /// Changes the state of a frame that the caller owns, in a magazine or allocated. O(1).
    void set_state(FrameNumber frame, FrameState state) {
        m_states[index_of(frame)].store(state.byte(), relaxed);
    }

    /// Changes the state of a frame that the caller may own from `from` to `to`; false, and nothing
    /// changes, if it is another. O(1).
    bool change_state(FrameNumber frame, FrameState from, FrameState to) {
        Atomic<u8>& state = m_states[index_of(frame)];
        bool const matches = state.load(relaxed) == from.byte();
        if (matches) [[likely]] {
            state.store(to.byte(), relaxed);
        }
        return matches;
    }

    /// Adopts reserved frames [begin, end) as free. O(frames).
    void adopt(FrameNumber begin, FrameNumber end) REQUIRES(m_lock);

    /// Takes the lowest free block of the least sufficient order that ends at `limit` or below,
    /// and of it the lowest 2^order frames. The frames taken have the state `inside`.
    /// Error::out_of_memory. O(orders).
    Result<FrameNumber> take(unsigned order, FrameNumber limit) REQUIRES(m_lock);
    /// Frames side by side.
    struct Run {
        FrameNumber first = 0;
        u32 count = 0;
    };
    /// Takes the frames that `take(0, end())` would return one after the other, `most` of them at
    /// most, as far as they lie in one block; their state becomes `state`. None: there is none.
    /// O(orders + most).
    Run take_singles(u32 most, FrameState state) REQUIRES(m_lock);
    /// Takes the frames [begin, end), all of them free. Error::busy if one is not, out_of_range if
    /// one is reserved. O(orders) for each block that they lie in.
    Result<void> take_at(FrameNumber begin, FrameNumber end) REQUIRES(m_lock);
    /// What a run of frames must be: so long, at a multiple of `alignment` frames, at an end of
    /// `limit` or below.
    struct RunShape {
        u64 pages;
        u64 alignment;
        FrameNumber limit;
    };
    /// Where a search for a run has come to: large blocks are looked at one at a time, so that the
    /// lock can be given back between them.
    struct RunSearch {
        unsigned order = 0;
        u64 index = 0; ///< of the next block of `order`
        unsigned looked_at = 0;
    };
    /// A search at its beginning. O(1).
    static RunSearch start_search(RunShape const& run);
    /// Looks around the next free block, of `per_order` at most of each order, for a run where no
    /// single block is large enough; takes nothing. Error::out_of_memory where this one has none:
    /// the search goes on while it is not over. O(orders), each with O(orders) steps.
    Result<FrameNumber>
    look_around_next(RunShape const& run, RunSearch& search, unsigned per_order) const
        REQUIRES(m_lock);
    static bool is_over(RunSearch const& search) {
        return search.order >= order_count || search.looked_at >= candidates_max;
    }
    static constexpr unsigned candidates_max = 4096;

    /// Makes a block of frames in no block free, and joins it with its buddies. O(orders).
    void put(FrameNumber block, unsigned order) REQUIRES(m_lock);
    /// The same for [begin, end), as the fewest blocks. O(orders), and O(1) for each GiB.
    void put_range(FrameNumber begin, FrameNumber end) REQUIRES(m_lock);

    /// Marks [begin, end), which was taken, as one allocation. O(orders), and O(1) for each GiB.
    void mark_allocated(FrameNumber begin, FrameNumber end);
    /// Whether [begin, begin + pages) is exactly one allocation; what is wrong with giving it back
    /// otherwise. O(orders), and O(1) for each GiB.
    FrameMisuse check_allocated(FrameNumber begin, u64 pages) const;
    /// Takes the marks of an allocation off again. O(orders), and O(1) for each GiB.
    void unmark(FrameNumber begin, FrameNumber end);

    /// The first frame of the free block that `frame` lies in; nothing if it lies in none.
    /// O(orders).
    std::optional<FrameNumber> free_block_at(FrameNumber frame) const;

    /// Adds what this zone has to `total`.
    void add_statistics(FrameStatistics& total) const REQUIRES(m_lock);
    /// Walks the zone, while nobody changes it; the lock is taken for a block at a time. O(frames).
    FrameDefect validate() const EXCLUDES(m_lock);

private:
    BuddyZone(ZonePlan const& plan, std::span<Atomic<u8>> states)
        : m_first(plan.first),
          m_end(plan.end),
          m_node(plan.node),
          m_reach(plan.reach),
          m_cached_by(plan.reach == ZoneReach::first_mebibyte ? ~0u : plan.node),
          m_states(states) {}

    /// The number of block `frame` in the tree of its order.
    u64 block_index(FrameNumber frame, unsigned order) const {
        return (frame >> order) - (m_first >> order);
    }
    FrameNumber block_frame(u64 index, unsigned order) const {
        return (index + (m_first >> order)) << order;
    }
    usize index_of(FrameNumber frame) const {
        CHECK(frame >= m_first && frame < m_end);
        return frame - m_first;
    }
    bool holds(FrameNumber frame, unsigned order) const {
        return frame >= m_first && (u64{1} << order) <= m_end - frame && frame < m_end;
    }
    void link(FrameNumber block, unsigned order) REQUIRES(m_lock);
    void unlink(FrameNumber block, unsigned order) REQUIRES(m_lock);
    void split(FrameNumber block, unsigned from, unsigned to) REQUIRES(m_lock);
    FrameNumber run_start(FrameNumber block, u64 frames_enough) const;
    FrameNumber run_end(FrameNumber block, u64 frames_enough) const;
    std::optional<FrameNumber> run_around(FrameNumber block, RunShape const& run) const;
    std::string_view block_defect(FrameNumber frame, FrameState state) const EXCLUDES(m_lock);

    FrameNumber const m_first;
    FrameNumber const m_end;
    u32 const m_node;
    ZoneReach const m_reach;
    u32 const m_cached_by;                    ///< its node, or no node
    std::span<Atomic<u8>> const m_states;     ///< of the frames from m_first on
    u64 m_frames GUARDED_BY(m_lock) = 0;      ///< adopted
    u64 m_free_frames GUARDED_BY(m_lock) = 0; ///< in free blocks
    u32 m_orders GUARDED_BY(m_lock) = 0;      ///< bit k: there is a free block of order k
    BitTree m_free[order_count] GUARDED_BY(m_lock);
    mutable sync::SpinLock m_lock{sync::LockRank::frames};
};

} // namespace twofold::memory
