// Requests that are waited for together: who waits polls as long as the device says is sensible
// (Device::poll_time), then sleeps until the last of them has ended.
#pragma once

#include "core/device/block/device.hpp"
#include "core/device/ring/awaited.hpp"

namespace twofold::block {

/// `submit` any number, then `wait` once. Context thread.
class Gathering {
public:
    explicit Gathering(Device& device) : m_device(device) {}
    Gathering(Gathering const&) = delete;
    Gathering& operator=(Gathering const&) = delete;

    /// Starts a request, whose `done` and `context` are the gathering's. Errors: those of
    /// Device::submit.
    Result<void> submit(Request& request);
    /// Until all have come back. The first error that one of them came to.
    Result<void> wait();

private:
    static void take(Request& request, Result<void> outcome);
    void leave();
    void poll();

    static constexpr u32 none = ~u32{0};

    Device& m_device;
    device::Awaited<bool> m_all;
    Atomic<u32> m_left{1}; ///< requests, and who waits
    Atomic<u32> m_error{none};
};

} // namespace twofold::block
