// See blocking.hpp.
#include "core/device/nvme/blocking.hpp"

#include "hal/clock.hpp"

namespace twofold::nvme {

void Gathering::take(block::Request& request, Result<void> outcome) {
    auto& self = *static_cast<Gathering*>(request.context);
    if (!outcome) {
        u32 first = none;
        self.m_error.compare_exchange(first, static_cast<u32>(outcome.error()), relaxed, relaxed);
    }
    self.leave();
}

void Gathering::leave() {
    if (m_left.fetch_sub(1, acquire_release) == 1) {
        m_all.come(true);
    }
}

Result<void> Gathering::submit(block::Request& request) {
    request.done = take;
    request.context = this;
    m_left.fetch_add(1, relaxed);
    auto submitted = m_device.submit(request);
    if (!submitted) {
        m_left.fetch_sub(1, relaxed); // not the last: who waits is counted, too
    }
    return submitted;
}

void Gathering::poll() {
    Nanos const begun = hal::Clock::now();
    Nanos const longest = m_device.controller().poll_time();
    while (m_left.load(acquire) != 1 && hal::Clock::now() - begun < longest) {
        if (m_device.poll() == 0) {
            sync::relax();
        }
    }
}

Result<void> Gathering::wait() {
    poll();
    leave();
    static_cast<void>(m_all.wait());
    u32 const error = m_error.load(relaxed);
    return error == none ? Result<void>() : Result<void>(static_cast<Error>(error));
}

Result<void> perform(NamespaceDevice& device, block::Request& request) {
    Gathering one(device);
    TRY(one.submit(request));
    return one.wait();
}

namespace {

Result<void> transfer(
    NamespaceDevice& device, block::Operation operation, u64 sector, u32 count, PhysAddr memory) {
    u64 const bytes = u64{count} * device.geometry().sector_bytes;
    if (bytes > UINT32_MAX) {
        return Error::invalid_argument;
    }
    block::Segment const segment{memory, static_cast<u32>(bytes)};
    block::Request request;
    request.operation = operation;
    request.sector = sector;
    request.count = count;
    request.segments = std::span(&segment, 1);
    return perform(device, request);
}

} // namespace

Result<void> read_blocks(NamespaceDevice& device, u64 sector, u32 count, PhysAddr into) {
    return transfer(device, block::Operation::read, sector, count, into);
}

Result<void> write_blocks(NamespaceDevice& device, u64 sector, u32 count, PhysAddr from) {
    return transfer(device, block::Operation::write, sector, count, from);
}

Result<void> flush(NamespaceDevice& device) {
    block::Request request;
    request.operation = block::Operation::flush;
    return perform(device, request);
}

} // namespace twofold::nvme
