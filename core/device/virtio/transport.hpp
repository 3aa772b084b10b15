// How a virtio device is connected: by PCI, by registers in memory, in a test by neither. An
// injected seam: nothing above it knows which.
//
// A transport only reaches the device. The order in which its operations are to be called is
// Device's (device.hpp).
//
// Source: VIRTIO 1.2, chapter 4.
#pragma once

#include "core/device/dma.hpp"

#include <string_view>

namespace twofold::device::virtio {

/// Where the device sees the three parts of a queue.
struct QueueMemory {
    hal::DmaAddress descriptors;
    hal::DmaAddress available;
    hal::DmaAddress used;
    u16 entries = 0;
};

/// What is called in context work when the device says that something has happened. Either may be
/// called without that.
struct TransportEvents {
    void (*queues)(void* object) = nullptr;        ///< a queue may have something
    void (*configuration)(void* object) = nullptr; ///< its configuration or its status is another
    void* object = nullptr;
};

/// One context at a time where nothing else is said. O(1).
class Transport {
public:
    Transport(Transport const&) = delete;
    Transport& operator=(Transport const&) = delete;

    /// What the device reaches is mapped there. Any context up to irq, several at a time.
    virtual DmaSpace& dma() = 0;
    virtual u32 device_kind() const = 0;
    virtual std::string_view name() const = 0; ///< "PCI", "MMIO"; lives for ever

    /// Features 32 * word and following.
    virtual u32 read_features(u32 word) = 0;
    virtual void write_features(u32 word, u32 bits) = 0;
    /// Any context.
    virtual u8 read_status() = 0;
    virtual void write_status(u8 status) = 0;

    /// The most entries that the device's queue may have; 0: it has no such queue.
    virtual u16 queue_entries_max(u16 queue) = 0;
    /// Errors: corrupted (the device describes the queue in a way that makes no sense), no_space
    /// (it cannot tell of it), already_exists.
    virtual Result<void> enable_queue(u16 queue, QueueMemory const& memory) = 0;
    /// The queue has something for the device. Any context up to irq.
    virtual void notify(u16 queue) = 0;

    /// The configuration, read while its generation stays the same, is of one piece. Any context.
    virtual u32 configuration_generation() = 0;
    virtual Bytes configuration_size() const = 0;
    /// `offset` is a multiple of 4, and what is there lies in configuration_size.
    virtual u32 read_configuration(Bytes offset) = 0;
    virtual void write_configuration(Bytes offset, u32 value) = 0;

    /// From now on interrupts of the device lead to `events`. Errors: those of the interrupt
    /// controllers. Context thread. Once; after features, before queues.
    virtual Result<void> bind(TransportEvents const& events, std::string_view name) = 0;
    /// Has `events.queues` called soon, as if the device had asked for it. Context irq, interrupts
    /// off; it is bound.
    virtual void request_work() = 0;
    /// No interrupt of the device leads to `events` any more, and when it returns neither is
    /// running. Nothing happens where it is not bound. Context thread.
    virtual void unbind() = 0;
    /// Lets go of the device, which was reset and unbound, and ends the transport.
    virtual void close() = 0;

protected:
    Transport() = default;
    ~Transport() = default;
};

} // namespace twofold::device::virtio
