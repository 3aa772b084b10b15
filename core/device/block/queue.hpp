// The staging layer: a block device over another one, which takes requests of any size, and makes
// few of many.
//
// While a processor holds (Device::hold), what is submitted there is kept. At the release requests
// that lie one behind the other on the device become one, and all are sent in the order of their
// sectors, under one hold of the device below. Flushes, and writes that are durable when they are
// done, stay where they are: nothing is merged or sorted across one. Without hold a request goes
// straight through.
//
// A request that is larger than the device takes is cut (split.hpp). Its pieces, and what merged
// requests have become, lie in children (pieces.hpp). Where no child is left to merge with,
// requests go one by one.
//
// Where a merged request fails, the requests in it are sent alone: each ends with what is true of
// it.
//
// Invariant: what is staged is its own processor's, with interrupts off.
#pragma once

#include "core/device/block/pieces.hpp"

namespace twofold::block {

/// What has happened on a queue.
struct QueueCounts {
    u64 merged = 0; ///< requests that others were put together with, these included
    u64 split = 0;  ///< requests that were cut
    u64 waited = 0; ///< of these, that had to wait for a child
};

class Queue final : public Device, private PieceMaker {
public:
    static constexpr u32 staged_max = 64; ///< then they are sent although the processor holds

    /// Over `device`, which outlives it and is not closed with it. In memory of the heap. Context
    /// thread. Errors: out_of_memory.
    static Result<Queue*> open(memory::KernelHeap& heap, Completions& completions, Device& device);

    /// Of the device below, but for what is no limit any more.
    Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return m_device.name(); }
    Result<void> submit(Request& request) override;
    void hold() override;
    void release() override;
    u32 poll() override { return m_device.poll(); }
    Nanos poll_time() const override { return m_device.poll_time(); }
    void close() override;

    /// The device's geometry is another. Context thread.
    void adopt_geometry();
    QueueCounts counts() const;

private:
    /// Its own processor's, with interrupts off, but for the count.
    struct Stage {
        u32 held = 0;
        u32 count = 0;
        Request* requests[staged_max]{};
        Atomic<u64> merged{0};
    };

    Queue(memory::KernelHeap& heap, Completions& completions, Device& device);
    ~Queue() = default;

    Device& next_piece(Request const& parent, PieceState& state, Child& child) override;
    bool is_held() const;
    bool stage(Request& request);
    void dispatch(std::span<Request*> requests);
    void dispatch_run(std::span<Request*> requests);
    usize mergeable(std::span<Request* const> requests) const;
    bool merge(std::span<Request* const> requests);
    static void finish_merged(Request& child, Result<void> outcome);

    memory::KernelHeap& m_heap;
    Device& m_device;
    Geometry m_geometry;
    Pieces m_pieces;
    Lanes<Stage> m_stages;
};

} // namespace twofold::block
