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
// requests have become, lie in children from a fixed number on each processor. Where no child is
// left to merge with, requests go one by one; pieces wait in the order in which they came, and
// whoever gives a child back goes on with them. So nothing is allocated, and nobody is forgotten.
//
// Where a merged request fails, the requests in it are sent alone: each ends with what is true of
// it. Of a request that was cut the first error is told.
//
// Invariants: a child is free, or in flight. At most one context goes on with those who wait on a
// lane. What is staged is its own processor's, with interrupts off.
#pragma once

#include "core/device/block/completions.hpp"
#include "core/device/block/split.hpp"

#include <optional>

namespace twofold::block {

/// What has happened on a queue.
struct QueueCounts {
    u64 merged = 0; ///< requests that others were put together with, these included
    u64 split = 0;  ///< requests that were cut
    u64 waited = 0; ///< of these, that had to wait for a child
};

class Queue final : public Device {
public:
    static constexpr u32 children = 32;     ///< on each processor
    static constexpr u32 segments_max = 32; ///< of a child
    static constexpr u32 staged_max = 64;   ///< then they are sent although the processor holds

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
    void close() override;

    /// The device's geometry is another. Context thread.
    void adopt_geometry();
    QueueCounts counts() const;

private:
    struct Lane;
    /// What the device is asked for in the place of others.
    struct Child : Request {
        Lane* lane = nullptr;
        Request* parent = nullptr;                     ///< of which it is a piece
        IntrusiveList<Request, RequestsTag> originals; ///< or which it is made of
        Segment pieces[segments_max];
    };
    struct Lane {
        explicit Lane(Queue& of);

        Queue& queue;
        sync::SpinLock lock{sync::LockRank::device};
        IntrusiveList<Request, RequestsTag> free GUARDED_BY(lock);    ///< children
        IntrusiveList<Request, RequestsTag> waiting GUARDED_BY(lock); ///< to be cut
        bool is_cutting GUARDED_BY(lock) = false; ///< somebody goes on with who waits
        u32 held = 0;                             ///< this and the next two: interrupts off
        u32 staged_count = 0;
        Request* staged[staged_max]{};
        Atomic<u64> merged{0};
        Atomic<u64> split{0};
        Atomic<u64> waited{0};
        Child all[children];
    };
    /// In the room of a request that is cut.
    struct Cut {
        u32 pieces = 0;
        u32 begun = 0;
        CutPlace place;
        Atomic<u32> left{0};  ///< pieces that are not done
        Atomic<u32> error{0}; ///< the first one's number and 1
    };

    Queue(memory::KernelHeap& heap, Completions& completions, Device& device);
    ~Queue() = default;

    bool stage(Request& request);
    void send(Request& request);
    void dispatch(std::span<Request*> requests);
    void dispatch_run(std::span<Request*> requests);
    usize mergeable(std::span<Request* const> requests) const;
    bool merge(std::span<Request* const> requests);
    Child* take_child(Lane& lane);
    void give_back(Child& child);
    Result<void> begin_cut(Request& request);
    void go_on(Lane& lane);
    Child* next_piece(Lane& lane);
    static void finish_piece(Request& child, Result<void> outcome);
    static void finish_merged(Request& child, Result<void> outcome);

    memory::KernelHeap& m_heap;
    Completions& m_completions;
    Device& m_device;
    Geometry m_geometry;
    Lanes<Lane> m_lanes;
};

} // namespace twofold::block
