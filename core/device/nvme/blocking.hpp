// Waiting for requests of a namespace: who waits polls as long as the controller's mode says, then
// sleeps until the interrupt.
#pragma once

#include "core/device/nvme/controller.hpp"
#include "core/device/ring/awaited.hpp"

namespace twofold::nvme {

/// Requests that are waited for together. `submit` any number, then `wait` once. Context thread.
class Gathering {
public:
    explicit Gathering(NamespaceDevice& device) : m_device(device) {}
    Gathering(Gathering const&) = delete;
    Gathering& operator=(Gathering const&) = delete;

    /// Starts a request, whose `done` and `context` are the gathering's. Errors: those of
    /// NamespaceDevice::submit.
    Result<void> submit(block::Request& request);
    /// Until all have come back. The first error that one of them came to.
    Result<void> wait();

private:
    static void take(block::Request& request, Result<void> outcome);
    void leave();
    void poll();

    static constexpr u32 none = ~u32{0};

    NamespaceDevice& m_device;
    device::Awaited<bool> m_all;
    Atomic<u32> m_left{1}; ///< requests, and who waits
    Atomic<u32> m_error{none};
};

/// Performs one request and waits for it. Context thread. Errors: those of NamespaceDevice::submit,
/// and what the request comes to.
Result<void> perform(NamespaceDevice& device, block::Request& request);

/// Reads or writes sectors from one piece of memory. As `perform`.
Result<void> read_blocks(NamespaceDevice& device, u64 sector, u32 count, PhysAddr into);
Result<void> write_blocks(NamespaceDevice& device, u64 sector, u32 count, PhysAddr from);
Result<void> flush(NamespaceDevice& device);

} // namespace twofold::nvme
