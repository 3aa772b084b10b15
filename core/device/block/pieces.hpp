// Requests that a layer performs in pieces: children from a fixed number on each processor, which
// go to devices below in the place of others.
//
// Where no child is left, requests wait in the order in which they came, and whoever gives a child
// back goes on with them. So nothing is allocated, and nobody is forgotten. Of a request the first
// error is told, when all its pieces are done.
//
// Invariants: a child is free, or in flight. At most one context goes on with those who wait on a
// lane. A request waits until its last piece has begun, and is not touched by the lane from then
// on.
#pragma once

#include "core/device/block/completions.hpp"
#include "core/device/block/split.hpp"

namespace twofold::block {

struct PieceLane;

/// What a device is asked for in the place of others.
struct Child : Request {
    static constexpr u32 segments_max = 32;

    PieceLane* lane = nullptr;
    Request* parent = nullptr;                     ///< of which it is a piece
    IntrusiveList<Request, RequestsTag> originals; ///< or which it is made of
    Segment pieces[segments_max];
};

/// In the room of a request that is performed in pieces.
struct PieceState {
    u32 pieces = 0;
    u32 begun = 0;
    CutPlace place;       ///< where the next one begins
    Atomic<u32> left{0};  ///< pieces that are not done
    Atomic<u32> error{0}; ///< the first one's number and 1
};

/// Who cuts. An injected seam.
class PieceMaker {
public:
    PieceMaker(PieceMaker const&) = delete;
    PieceMaker& operator=(PieceMaker const&) = delete;

    /// Fills sector, count and segments of the next piece, and moves the state's place on; the rest
    /// is as with the parent. The device that it goes to. Under a lock; O(segments of the piece).
    virtual Device& next_piece(Request const& parent, PieceState& state, Child& child) = 0;

protected:
    PieceMaker() = default;
    ~PieceMaker() = default;
};

class Pieces {
public:
    static constexpr u32 children = 32; ///< on each processor

    Pieces(Completions& completions, PieceMaker& maker)
        : m_completions(completions), m_maker(maker) {}
    Pieces(Pieces const&) = delete;
    Pieces& operator=(Pieces const&) = delete;

    /// Errors: out_of_memory. Context thread.
    Result<void> open(memory::KernelHeap& heap);
    /// Nothing is in flight. Also where it was not opened.
    void close(memory::KernelHeap& heap);

    /// Performs the request in so many pieces, at least one. Any context up to irq.
    void begin(Request& parent, u32 pieces);
    /// A child for another use; null: none is left beside those for who waits.
    Child* take();
    /// It is free again, and who waits for one goes on.
    void give_back(Child& child);
    /// Hands a request to a device; what that does not take ends soon.
    void send(Device& device, Request& request);

    /// How many requests were performed so, and how often one had to wait for a child.
    u64 begun() const;
    u64 waited() const;

private:
    void go_on(PieceLane& lane);
    Child* next(PieceLane& lane, Device*& device);
    static void finish(Request& child, Result<void> outcome);

    Completions& m_completions;
    PieceMaker& m_maker;
    Lanes<PieceLane> m_lanes;
};

/// Of one processor.
struct PieceLane {
    explicit PieceLane(Pieces& its_owner);

    Pieces& owner;
    sync::SpinLock lock{sync::LockRank::device};
    IntrusiveList<Request, RequestsTag> free GUARDED_BY(lock);    ///< children
    IntrusiveList<Request, RequestsTag> waiting GUARDED_BY(lock); ///< to be cut
    bool is_cutting GUARDED_BY(lock) = false; ///< somebody goes on with who waits
    Atomic<u64> begun{0};
    Atomic<u64> waited{0};
    Child all[Pieces::children];
};

} // namespace twofold::block
