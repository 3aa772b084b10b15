// A virtio device as its driver knows it: the order of its start, what both sides can do, its
// queues and its configuration, and what is done about one that misbehaves.
//
//     Device device(environment, transport);
//     TRY(device.negotiate(wanted, required));
//     TRY(device.bind({.changed = ..., .object = this}, "gpu"));
//     VirtQueue* const queue = TRY(device.open_queue(0, 64, time_out));
//     device.run();
//
// A device that needs a reset, gives back what it was not given, or lets something become overdue
// is broken: it is reset, which ends its access to memory, and all that was in flight is given
// back. It stays so; whoever wants it again opens it again.
//
// Source: VIRTIO 1.2, sections 2.1, 2.2, 2.4, 2.5 and 3.1.
#pragma once

#include "core/device/virtio/virt_queue.hpp"

namespace twofold::device::virtio {

/// Who wants to know that the configuration is another. Called in context work.
struct ConfigurationListener {
    void (*changed)(void* object) = nullptr;
    void* object = nullptr;
};

class Device {
public:
    static constexpr usize queues_max = 8;
    static constexpr Nanos reset_time{1'000'000'000};
    static constexpr u32 generations_max = 16; ///< of a configuration that is read

    Device(DriverEnvironment const& environment, Transport& transport)
        : m_environment(environment), m_transport(transport) {}
    ~Device() { CHECK(m_queues.empty()); } ///< it was closed, or never had queues
    Device(Device const&) = delete;
    Device& operator=(Device const&) = delete;

    /// Resets the device and agrees on features: those of `wanted` that it offers, `required`,
    /// which it has to offer, and what every device needs. Context thread. Errors: not_supported
    /// (it offers too little, or does not take what it offers), timed_out (it does not reset).
    Result<void> negotiate(u64 wanted, u64 required);
    u64 features() const { return m_features; }

    /// Takes the device's interrupts. `name` is for people and lives as long. Errors: those of
    /// Transport::bind.
    Result<void> bind(ConfigurationListener const& listener, std::string_view name);
    /// Errors: no_space, and those of VirtQueue::open.
    Result<VirtQueue*> open_queue(u16 index, u16 entries, Nanos time_out);
    /// From now on the device works.
    void run();

    /// Calls read() until the configuration has not changed meanwhile. Any context. Errors: busy
    /// (it changes each time).
    template<class Read>
    Result<void> read_configuration(Read&& read) {
        for (u32 i = 0; i < generations_max; ++i) {
            u32 const generation = m_transport.configuration_generation();
            read();
            if (m_transport.configuration_generation() == generation) {
                return {};
            }
        }
        return Error::busy;
    }

    bool is_broken() const { return m_is_broken.load(acquire) != 0; }
    /// Whether the device is known to reach no memory any more. After `close`.
    bool is_stopped() const { return m_is_stopped; }
    /// Resets the device for good, gives back what is in flight (io_failed), and ends the queues.
    /// Context thread; no other context uses it.
    void close();

private:
    Result<void> reset();
    void fail(Error error);
    static void take_queues(void* self);
    static void take_configuration(void* self);

    DriverEnvironment m_environment;
    Transport& m_transport;
    u64 m_features = 0;
    ConfigurationListener m_listener;
    FixedVector<VirtQueue*, queues_max> m_queues; ///< all of them, before it runs
    Atomic<u32> m_is_broken{0};
    bool m_is_stopped = true; ///< written by whoever breaks it, or by `close`
};

} // namespace twofold::device::virtio
