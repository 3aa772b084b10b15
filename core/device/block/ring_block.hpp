// The driver of the block device with a pair of rings that the simulator has: "ring0".
#pragma once

#include "core/device/block/device.hpp"
#include "core/device/model/bound_ring.hpp"
#include "core/device/ring/ring_queue.hpp"

namespace twofold::device {

class RingBlock final : public block::Device {
public:
    static constexpr u16 device_id = 0x20;
    static constexpr u32 signature = 0x4442'4632; ///< "2FBD"
    static constexpr Nanos time_out{i64{2} * 1'000'000'000};

    /// In memory of the heap, until it is closed. Errors: those of RingQueue::open;
    /// corrupted (the device describes itself in a way that makes no sense).
    static Result<RingBlock*>
    open(DriverEnvironment const& environment, pci::Function const& function);

    block::Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return "ring0"; }
    /// Beside what every device answers: what waits for a slot waits in the order of arrival.
    Result<void> submit(block::Request& request) override;
    void close() override;

    RingQueue& queue() { return m_queue; }

private:
    RingBlock(memory::KernelHeap& heap, RingQueue& queue, block::Geometry const& geometry)
        : m_heap(heap), m_queue(queue), m_geometry(geometry) {}

    memory::KernelHeap& m_heap;
    RingQueue& m_queue;
    block::Geometry m_geometry;
};

using BoundRingBlock = BoundRing<RingBlock>;
inline constexpr Driver ring_block_driver{
    "ring-block", BoundRingBlock::matches, BoundRingBlock::probe};

} // namespace twofold::device
