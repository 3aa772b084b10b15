// See device.hpp.
#include "core/device/virtio/device.hpp"

#include "hal/clock.hpp"
#include "hal/memory.hpp"

namespace twofold::device::virtio {

/// Nothing of the queues is used by the device any more when its status is 0.
Result<void> Device::reset() {
    m_is_stopped = false;
    m_transport.write_status(0);
    Nanos const deadline = hal::Clock::now() + reset_time;
    while (m_transport.read_status() != 0) {
        if (hal::Clock::now() >= deadline) {
            return Error::timed_out;
        }
        sync::relax();
    }
    m_is_stopped = true;
    return {};
}

Result<void> Device::negotiate(u64 wanted, u64 required) {
    TRY(reset());
    m_transport.write_status(status::acknowledge);
    m_transport.write_status(status::acknowledge | status::driver);
    u64 const offered = u64{m_transport.read_features(1)} << 32 | m_transport.read_features(0);
    u64 const all_required = required | feature::version_1;
    if ((offered & all_required) != all_required) {
        return Error::not_supported;
    }
    // Addresses are always the platform's (hal/dma.hpp): a device that knows others gets them, too.
    m_features = offered & (wanted | all_required | feature::access_platform);
    m_transport.write_features(0, static_cast<u32>(m_features));
    m_transport.write_features(1, static_cast<u32>(m_features >> 32));
    constexpr u8 agreed = status::acknowledge | status::driver | status::features_ok;
    m_transport.write_status(agreed);
    return m_transport.read_status() == agreed ? Result<void>() : Error::not_supported;
}

Result<void> Device::bind(ConfigurationListener const& listener, std::string_view name) {
    m_listener = listener;
    return m_transport.bind(
        {.queues = take_queues, .configuration = take_configuration, .object = this}, name);
}

Result<VirtQueue*> Device::open_queue(u16 index, u16 entries, Nanos time_out) {
    if (m_queues.size() == queues_max) {
        return Error::no_space;
    }
    VirtQueue* const queue =
        TRY(VirtQueue::open(m_environment, m_transport, index, entries, time_out));
    m_queues.push_back(queue).value();
    return queue;
}

void Device::run() {
    m_is_stopped = false;
    hal::Memory::device_write_barrier();
    m_transport.write_status(
        status::acknowledge | status::driver | status::features_ok | status::driver_ok);
}

void Device::take_queues(void* self) {
    auto& device = *static_cast<Device*>(self);
    for (VirtQueue* const queue : device.m_queues) {
        if (auto const drained = queue->drain(); !drained) {
            device.fail(drained.error());
        } else if (queue->is_overdue()) {
            device.fail(Error::timed_out);
        }
    }
}

void Device::take_configuration(void* self) {
    auto& device = *static_cast<Device*>(self);
    if ((device.m_transport.read_status() & status::needs_reset) != 0) {
        device.fail(Error::io_failed);
    } else if (device.m_listener.changed != nullptr && !device.is_broken()) {
        device.m_listener.changed(device.m_listener.object);
    }
}

/// The device is reset before anything is given back, so that it writes to nothing of it.
void Device::fail(Error error) {
    if (m_is_broken.exchange(1, acquire_release) != 0) {
        return;
    }
    static_cast<void>(reset()); // where it does not, m_is_stopped says so
    for (VirtQueue* const queue : m_queues) {
        queue->abandon(error);
    }
}

void Device::close() {
    m_is_broken.store(1, release);
    static_cast<void>(reset());
    for (VirtQueue* const queue : m_queues) {
        queue->abandon(Error::io_failed); // and from now on it asks the transport for nothing
    }
    m_transport.unbind();
    for (VirtQueue* const queue : m_queues) {
        queue->close(m_is_stopped ? VirtQueue::Memory::given_back : VirtQueue::Memory::lost);
    }
    m_queues.clear();
}

} // namespace twofold::device::virtio
