// See transfer.hpp.
#include "core/device/block/transfer.hpp"

#include "core/device/block/gathering.hpp"

#include <bit>

namespace twofold::block {

namespace {

/// The request of a transfer, on `segment`.
void fill(Request& request, Segment& segment, Transfer const& transfer, Geometry const& geometry) {
    request.operation = transfer.operation;
    request.is_through = transfer.is_through;
    request.sector = transfer.sector;
    request.count = transfer.count;
    request.time_out = transfer.time_out;
    // A length that does not fit makes up no request that a device takes.
    u64 const bytes = u64{transfer.count} * geometry.sector_bytes;
    segment = {transfer.memory, bytes <= ~u32{0} ? static_cast<u32>(bytes) : 0};
    request.segments = has_data(transfer.operation) ? std::span<Segment const>(&segment, 1)
                                                    : std::span<Segment const>();
}

Result<void> transfer_memory(Device& device, Operation operation, u64 sector, Segment memory) {
    u32 const sector_bytes = device.geometry().sector_bytes;
    if (memory.bytes == 0 || !is_aligned(memory.bytes, sector_bytes)) {
        return Error::invalid_argument;
    }
    u32 const count = memory.bytes >> std::countr_zero(sector_bytes);
    return perform(
        device,
        {.operation = operation, .sector = sector, .count = count, .memory = memory.address});
}

} // namespace

Result<void> perform(Device& device, Request& request) {
    Gathering one(device);
    TRY(one.submit(request));
    return one.wait();
}

Result<void> perform(Device& device, Transfer const& transfer) {
    Segment segment;
    Request request;
    fill(request, segment, transfer, device.geometry());
    return perform(device, request);
}

Result<void> read_block(Device& device, u64 sector, Segment const& memory) {
    return transfer_memory(device, Operation::read, sector, memory);
}

Result<void> write_block(Device& device, u64 sector, Segment const& memory) {
    return transfer_memory(device, Operation::write, sector, memory);
}

Result<void> flush(Device& device) {
    return perform(device, {.operation = Operation::flush});
}

Result<void> deallocate(Device& device, u64 sector, u32 count) {
    return perform(device, {.operation = Operation::deallocate, .sector = sector, .count = count});
}

Result<void> write_zeroes(Device& device, u64 sector, u32 count) {
    return perform(
        device, {.operation = Operation::write_zeroes, .sector = sector, .count = count});
}

Performing::Performing(Device& device, Transfer const& transfer)
    : TaskWait([](async::TaskWait&) { return false; }), // the device has it, or has granted it
      m_device(device) {
    fill(m_request, m_segment, transfer, device.geometry());
    m_request.done = [](Request& self, Result<void> result) {
        static_cast<Performing*>(self.context)->grant(result);
    };
}

} // namespace twofold::block
