// See ring_block.hpp.
#include "core/device/block/ring_block.hpp"

#include <new>

namespace twofold::device {

namespace {

constexpr Bytes sectors = ring_register::own, sector_bytes = ring_register::own + Bytes{8},
                sectors_max = ring_register::own + Bytes{12};
constexpr u8 read_operation = 1, write_operation = 2, flush_operation = 3;
constexpr u8 through_flag = 1;

} // namespace

Result<RingBlock*>
RingBlock::open(DriverEnvironment const& environment, pci::Function const& function) {
    RingQueue* const queue = TRY(RingQueue::open(environment, function, signature, "block"));
    BlockGeometry const geometry{
        .sectors = queue->read_64(sectors),
        .sector_bytes = queue->read_32(sector_bytes),
        .sectors_max = queue->read_32(sectors_max)};
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

Result<void>
RingBlock::submit(Request& request, BlockTransfer const& transfer, BlockDone done, void* argument) {
    bool const is_flush = transfer.operation == BlockOperation::flush;
    if (is_flush ? transfer.count != 0
                 : transfer.count == 0 || transfer.count > m_geometry.sectors_max) {
        return Error::invalid_argument;
    }
    if (!is_flush && (transfer.sector >= m_geometry.sectors ||
                      transfer.count > m_geometry.sectors - transfer.sector)) {
        return Error::out_of_range;
    }
    if (is_flush && mutant(Mutant::device_flush_skipped)) {
        done(argument, {});
        return {};
    }
    request.operation = is_flush                                     ? flush_operation
                        : transfer.operation == BlockOperation::read ? read_operation
                                                                     : write_operation;
    bool const is_through = transfer.operation == BlockOperation::write_through &&
                            !mutant(Mutant::device_through_cached);
    request.flags = is_through ? through_flag : 0;
    request.target = transfer.sector;
    request.count = transfer.count;
    request.buffer = transfer.buffer;
    request.bytes = Bytes{u64{transfer.count} * m_geometry.sector_bytes};
    request.direction = transfer.operation == BlockOperation::read ? hal::DmaDirection::from_device
                                                                   : hal::DmaDirection::to_device;
    request.time_out = time_out;
    request.m_done = done;
    request.m_argument = argument;
    request.done = [](RingRequest& self, Result<u64> outcome) {
        Request const& own = static_cast<Request&>(self);
        own.m_done(own.m_argument, outcome ? Result<void>() : outcome.error());
    };
    return m_queue.submit(request);
}

} // namespace twofold::device
