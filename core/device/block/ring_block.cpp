// See ring_block.hpp.
#include "core/device/block/ring_block.hpp"

#include <new>

namespace twofold::device {

namespace {

constexpr Bytes sectors = ring_register::own, sector_bytes = ring_register::own + Bytes{8},
                sectors_max = ring_register::own + Bytes{12};
constexpr u8 read_operation = 1, write_operation = 2, flush_operation = 3;
constexpr u8 through_flag = 1;

/// What lies in a request while the queue has it.
struct Ring : RingRequest {
    block::Request* owner = nullptr;
};

} // namespace

Result<RingBlock*>
RingBlock::open(DriverEnvironment const& environment, pci::Function const& function) {
    RingQueue* const queue = TRY(RingQueue::open(environment, function, signature, "block"));
    block::Geometry const geometry{
        .sectors = queue->read_64(sectors),
        .sector_bytes = queue->read_32(sector_bytes),
        .physical_sector_bytes = queue->read_32(sector_bytes),
        .sectors_max = queue->read_32(sectors_max),
        .segments_max = 1,
        .has_volatile_cache = true};
    if (geometry.sectors == 0 || geometry.sectors_max == 0 || geometry.sector_bytes < 512 ||
        !is_power_of_two(geometry.sector_bytes) ||
        geometry.sectors > ~u64{0} / geometry.sector_bytes) {
        queue->close();
        return Error::corrupted;
    }
    auto const room = memory::allocate_room<RingBlock>(environment.heap, 1);
    if (!room) {
        queue->close();
        return room.error();
    }
    return new (room.value()) RingBlock(environment.heap, *queue, geometry);
}

void RingBlock::close() {
    m_queue.close();
    memory::free_room(m_heap, this); // nothing in it needs a destructor
}

Result<void> RingBlock::submit(block::Request& request) {
    TRY(block::check(request, m_geometry));
    bool const is_flush = request.operation == block::Operation::flush;
    bool const is_read = request.operation == block::Operation::read;
    bool const is_through = request.is_through && !is_flush && !is_read;
    Ring& held = request.make_room<Ring>();
    held.owner = &request;
    held.operation = is_flush ? flush_operation : is_read ? read_operation : write_operation;
    held.flags = is_through ? through_flag : 0;
    held.target = request.sector;
    held.count = request.count;
    held.buffer = is_flush ? PhysAddr{} : request.segments.front().address;
    held.bytes = Bytes{u64{request.count} * m_geometry.sector_bytes};
    held.direction = is_read ? hal::DmaDirection::from_device : hal::DmaDirection::to_device;
    held.time_out = request.time_out != Nanos{} ? request.time_out : time_out;
    held.done = [](RingRequest& self, Result<u64> outcome) {
        block::Request& owner = *static_cast<Ring&>(self).owner;
        owner.done(owner, outcome ? Result<void>() : outcome.error());
    };
    return m_queue.submit(held);
}

} // namespace twofold::device
