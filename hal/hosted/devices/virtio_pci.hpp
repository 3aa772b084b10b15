// What devices of VIRTIO 1.2 have in common on the hosted machine's PCI bus: the modern transport
// (4.1), the life of a device (3.1) and split virtqueues (2.7). What the device is for is its own
// source's, as virtio_gpu.hpp's.
//
//     base address 0, 16 KiB:  0x0000  common configuration      0x2000  table of MSI-X
//                              0x0100  ISR, one byte             0x3000  its pending bits
//                              0x0200  the device's own configuration
//                              0x1000  notifications, 4 bytes a queue
//
// Registers are memory that the kernel reads as it is. After each write the common configuration is
// filled anew from what the device holds, so that registers that depend on a selection follow it,
// and those that cannot be written are as they were.
//
// A driver that breaks the rules (a chain that loops or leaves its table, descriptors in a wrong
// order or indirect, rings that lie outside memory, an index that leaps) finds NEEDS_RESET and is
// heard again after a reset. No address of it is used but through DeviceBus, which checks each.
//
// Not offered: the ISR's byte, which a read would have to clear (it stays 0; a driver needs MSI-X);
// access to registers through configuration space (capability 5); event indexes, indirect
// descriptors, packed queues, the reset of one queue.
//
// Invariant: plain data; what is here is done within the call that asks for it, so it needs neither
// clock nor chance, and lives on live and simulated machines alike.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"
#include "hal/hosted/devices/virtio_layout.hpp"
#include "hal/hosted/state_archive.hpp"

#include <span>
#include <vector>

namespace hosted {

/// What a kind of device is.
struct VirtioKind {
    u16 type = 0; ///< VIRTIO's number of it
    u32 class_and_revision = 0;
    u64 features = 0; ///< of its own, without VERSION_1
    u32 queues = 1;
    u32 config_bytes = 0;
    u16 queue_entries_max = 256; ///< a power of two
};

/// A piece of guest memory.
struct VirtioSegment {
    DmaAddress at{};
    u32 bytes = 0;
};

/// A chain of descriptors that the driver has made available, checked: what the device may read,
/// then what it may write.
struct VirtioChain {
    u16 head = 0;
    std::vector<VirtioSegment> readable{};
    std::vector<VirtioSegment> writable{};

    u64 readable_bytes() const { return total(readable); }
    u64 writable_bytes() const { return total(writable); }
    static u64 total(std::span<VirtioSegment const> segments) {
        u64 bytes = 0;
        for (VirtioSegment const& each : segments) {
            bytes += each.bytes;
        }
        return bytes;
    }
};

class VirtioPci : public PciDevice {
public:
    static constexpr u64 common_at = 0, isr_at = 0x100, config_at = 0x200, notify_at = 0x1000,
                         table_at = 0x2000, pending_at = 0x3000, register_bytes = 0x4000;
    static constexpr u64 config_bytes_max = notify_at - config_at;
    static constexpr u32 notify_step = 4; ///< bytes between two queues' notifications
    static constexpr u32 queues_max = 16;

    PciIdentity identity() const final;
    void power_on(std::span<std::byte> registers) final;
    void written(DeviceBus& bus, u64 offset) final;
    void due(DeviceBus&, u64) override { UNREACHABLE(); } // it never asks
    bool needs_simulation() const override { return false; }
    std::vector<std::byte> save() const final;
    void load(std::span<std::byte const> state) final;

protected:
    explicit VirtioPci(VirtioKind const& kind);

    /// The driver has reset the device, or the machine starts.
    virtual void reset_own() = 0;
    /// Fills the device's own configuration, `config_bytes` of it, as it is now.
    virtual void fill_config(std::span<std::byte> config) const = 0;
    /// The driver has written there. The configuration is filled anew afterwards.
    virtual void config_written(DeviceBus& bus, u64 offset, std::span<std::byte const> config) = 0;
    /// The driver has notified a queue, and the device runs.
    virtual void notified(DeviceBus& bus, u32 queue) = 0;
    /// What the device is beside what is here, in both directions.
    virtual void archive_own(StateArchive& state) = 0;
    /// Before what lies in the device is replaced, and when all is in its place.
    virtual void loading() {}
    virtual void loaded() {}
    /// The power goes and comes back, before `reset_own`.
    virtual void cut_power() {}

    bool is_running() const {
        return (m_status & virtio::driver_ok) != 0 && (m_status & virtio::needs_reset) == 0;
    }
    u64 accepted_features() const { return m_driver_features; }

    /// The next chain of a queue. False: there is none, or the driver has broken a rule and finds
    /// NEEDS_RESET. O(descriptors).
    bool take(DeviceBus& bus, u32 queue, VirtioChain& chain);
    /// Copies from what the device may read of a chain, `skip` bytes behind its begin. False: so
    /// much is not there, or outside memory, which is NEEDS_RESET, too. O(bytes + descriptors).
    bool gather(DeviceBus& bus, VirtioChain const& chain, u64 skip, std::span<std::byte> to);
    /// Copies to what it may write, from its begin on; the same.
    bool scatter(DeviceBus& bus, VirtioChain const& chain, std::span<std::byte const> from);
    /// Hands a chain back, of which the device has written so many bytes, and interrupts unless the
    /// driver does not want it.
    void give_back(DeviceBus& bus, u32 queue, VirtioChain const& chain, u64 written_bytes);
    /// The configuration has changed: the kernel sees it, and is told.
    void change_config(DeviceBus& bus);
    /// The driver has broken a rule.
    void fail(DeviceBus& bus);

private:
    struct Queue {
        u64 descriptors = 0;
        u64 available = 0;
        u64 used = 0;
        u16 entries = 0;
        u16 vector = virtio::no_vector;
        u16 is_enabled = 0;
        u16 taken = 0; ///< chains, modulo 2^16
        u16 given_back = 0;
        u16 padding[3] = {}; ///< a copy has no bytes of chance
    };

    u64 offered() const { return m_kind.features | virtio::feature_version_1; }
    Queue* selected() { return m_select < m_queues.size() ? &m_queues[m_select] : nullptr; }
    void reset(std::span<std::byte> registers);
    void write_common(DeviceBus& bus, u64 offset, virtio::Common const& seen);
    void write_queue(DeviceBus& bus, u64 offset, virtio::Common const& seen);
    void write_status(DeviceBus& bus, u8 status);
    void enable(DeviceBus& bus, Queue& queue);
    void publish(std::span<std::byte> registers);
    void publish_config(std::span<std::byte> registers) const;
    void raise(DeviceBus& bus, u16 vector);
    u32 vectors() const { return m_kind.queues + 1; }
    u16 accepted_vector(u16 wanted) const {
        return wanted < vectors() ? wanted : virtio::no_vector;
    }
    bool walk(DeviceBus& bus, Queue const& queue, VirtioChain& chain);
    void archive(StateArchive& state);

    VirtioKind m_kind;
    u32 m_device_feature_select = 0;
    u32 m_driver_feature_select = 0;
    u64 m_driver_features = 0;
    u16 m_config_vector = virtio::no_vector;
    u16 m_select = 0;
    u8 m_status = 0;
    u8 m_generation = 0;
    std::vector<Queue> m_queues;
};

} // namespace hosted
