// The driver of the block device with a pair of rings that the simulator has.
#pragma once

#include "core/device/block/block_device.hpp"
#include "core/device/model/bound_ring.hpp"
#include "core/device/ring/ring_queue.hpp"

namespace twofold::device {

class RingBlock {
public:
    static constexpr u16 device_id = 0x20;
    static constexpr u32 signature = 0x4442'4632; ///< "2FBD"
    static constexpr Nanos time_out{i64{2} * 1'000'000'000};

    class Request : public RingRequest {
    private:
        friend class RingBlock;

        BlockDone m_done = nullptr;
        void* m_argument = nullptr;
    };

    /// In memory of the heap, until it is closed. Errors: those of RingQueue::open;
    /// corrupted (the device describes itself in a way that makes no sense).
    static Result<RingBlock*>
    open(DriverEnvironment const& environment, pci::Function const& function);
    RingBlock(RingBlock const&) = delete;
    RingBlock& operator=(RingBlock const&) = delete;
    /// Stops the device, and ends the driver. No request is in flight. Context thread.
    void close();

    /// Keeps the contract BlockDevice.
    BlockGeometry geometry() const { return m_geometry; }
    Result<void>
    submit(Request& request, BlockTransfer const& transfer, BlockDone done, void* argument);

    RingQueue& queue() { return m_queue; }

private:
    RingBlock(memory::KernelHeap& heap, RingQueue& queue, BlockGeometry const& geometry)
        : m_heap(heap), m_queue(queue), m_geometry(geometry) {}

    memory::KernelHeap& m_heap;
    RingQueue& m_queue;
    BlockGeometry m_geometry;
};
static_assert(BlockDevice<RingBlock>);

using BoundRingBlock = BoundRing<RingBlock>;
inline constexpr Driver ring_block_driver{
    "ring-block", BoundRingBlock::matches, BoundRingBlock::probe};

} // namespace twofold::device
