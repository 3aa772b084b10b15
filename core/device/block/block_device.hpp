// What a block device is to the rooms above it: sectors that are read and written through physical
// memory, many requests at a time, each done once.
//
// What is written is durable when a flush that began after it is done, or, written through, when it
// is done itself. Of requests that are in flight together, none is before another: where the order
// matters, wait for the first one. After a power cut a write that was not durable is there, or not,
// or in part.
#pragma once

#include "core/device/ring/awaited.hpp"

#include <concepts>

namespace twofold::device {

struct BlockGeometry {
    u64 sectors = 0;
    u32 sector_bytes = 0; ///< a power of two, 512 at least
    u32 sectors_max = 0;  ///< of one request
};

enum class BlockOperation : u8 { read, write, write_through, flush };

struct BlockTransfer {
    BlockOperation operation{};
    u64 sector = 0;
    u32 count = 0; ///< of sectors; 0 for a flush
    PhysAddr buffer{};
};

/// Called in context work, when the device has let go of request and buffer.
using BlockDone = void (*)(void* argument, Result<void> outcome);

template<class D>
concept BlockDevice =
    requires(D& device, typename D::Request& request, BlockTransfer transfer, BlockDone done) {
        /// What a request takes while it is in flight; made without arguments.
        requires std::default_initializable<typename D::Request>;
        { device.geometry() } -> std::same_as<BlockGeometry>;
        /// Starts a request; it, the buffer and `argument` are the device's until `done` is called,
        /// never from inside. Errors, at once: invalid_argument (no sector, or too many),
        /// out_of_range (also of the buffer), no_space. What it comes to: io_failed, timed_out. Any
        /// context up to irq.
        {
            device.submit(request, transfer, done, static_cast<void*>(nullptr))
        } -> std::same_as<Result<void>>;
    };

/// Performs one request and waits for it. Context thread, interrupts on. Errors as above.
template<BlockDevice D>
Result<void> perform(D& device, BlockTransfer const& transfer) {
    Awaited<Result<void>> awaited;
    typename D::Request request;
    TRY(device.submit(
        request, transfer,
        [](void* waits, Result<void> outcome) {
            static_cast<Awaited<Result<void>>*>(waits)->come(outcome);
        },
        &awaited));
    if (mutant(Mutant::device_wait_limited) && !awaited.comes_within(Nanos{10'000'000})) {
        return Error::timed_out;
    }
    return awaited.wait();
}

template<BlockDevice D>
Result<void> flush(D& device) {
    return perform(device, {.operation = BlockOperation::flush});
}

} // namespace twofold::device
