// A PCI device of the hosted machine, as a model that is plugged in: who it is, registers in
// simulated memory that it shares with the kernel, memory that it reaches, interrupts.
//
// The bus (pci_bus.hpp) has its configuration space: one function with its registers at base
// address 0 (32 bit, not prefetchable), and MSI with one vector or MSI-X with a table among the
// registers. The kernel reads registers as they are; of each write through hal::Io the device is
// told afterwards, but for those to the table, which are the bus's.
//
// Invariant: between two calls what a device is lies in its registers and in itself, as plain data
// that `save` writes and `load` reads: no address of the host, no clock, no chance but its seed's.
// Calls come one at a time.
#pragma once

#include "core/base/base.hpp"
#include "hal/dma_types.hpp"
#include "hal/hosted/devices/device_faults.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace hosted {

using namespace twofold;
using hal::DmaAddress;

inline constexpr u32 pci_devices_max = 31;
inline constexpr u64 pci_device_bytes_max = u64{16} << 10; // of registers: all fit below 2 MiB
inline constexpr u32 pci_ports_max = 8; // that devices are plugged into while a machine runs
inline constexpr u16 pci_hosted_vendor = 0x2f0d; // nobody's number

/// MSI-X of a device: `vectors` vectors, whose table and pending bits lie among its registers, each
/// on pages of its own.
struct PciVectors {
    u32 vectors = 0; ///< at most pci_vectors_max; 0: the device has MSI with one vector instead
    u32 table = 0;   ///< offsets
    u32 pending = 0;
    u32 unused = 0; ///< a copy has no bytes of chance

    static constexpr u64 entry_bytes = 16;
    constexpr bool covers(u64 offset) const {
        return vectors != 0 && offset - table < vectors * entry_bytes;
    }
};
inline constexpr u32 pci_vectors_max = 64;

/// Who a device is.
struct PciIdentity {
    u16 device = 0;
    u32 class_and_revision = 0; ///< as the register has them
    u16 subsystem = 0;
    u64 register_bytes = page_size.value; ///< a power of two, pages, at most pci_device_bytes_max
    u16 vendor = pci_hosted_vendor;
    PciVectors messages{};
    /// Vendor-specific capabilities: what is behind the three bytes of each one's header.
    std::vector<std::vector<u8>> capabilities{};

    bool is_sound() const { return has_sound_size() && has_sound_messages() && fits(); }
    bool has_sound_size() const {
        return is_power_of_two(register_bytes) && register_bytes >= page_size.value &&
               register_bytes <= pci_device_bytes_max;
    }
    bool has_sound_messages() const {
        auto const is_place = [&](u64 place) {
            return is_aligned(place, page_size.value) && place + page_size.value <= register_bytes;
        };
        return messages.vectors <= pci_vectors_max &&
               (messages.vectors == 0 || (is_place(messages.table) && is_place(messages.pending) &&
                                          messages.table != messages.pending));
    }
    /// Whether the capabilities find room behind the one of messages.
    bool fits() const {
        constexpr u64 from = 0x50, to = 0x100, header = 3;
        u64 end = from;
        for (auto const& each : capabilities) {
            end += align_up(header + each.size(), u64{4});
        }
        return end <= to;
    }
};

/// What a device may do. For the call that it is given to.
class DeviceBus {
public:
    virtual ~DeviceBus() = default;

    /// Its registers, as the kernel sees them.
    virtual std::span<std::byte> registers() = 0;
    /// Copies from or to memory. False, and nothing is copied, where the kernel has not mapped that
    /// for the device, or has not made it a bus master. O(bytes).
    virtual bool read(DmaAddress from, std::span<std::byte> to) = 0;
    virtual bool write(DmaAddress to, std::span<std::byte const> from) = 0;
    /// The memory itself, for who moves data without a copy, until the mapping is undone; empty
    /// where the device may not reach all of it. `bytes` is not 0. O(pages).
    virtual std::span<std::byte> reach(DmaAddress at, u64 bytes, hal::DmaDirection direction) = 0;
    /// Raises its interrupt, if the kernel wants it; else nothing happens. Of a device with MSI.
    virtual void interrupt() = 0;
    /// Raises a vector of its MSI-X, at once or when it is no longer masked; nothing happens where
    /// there is no such vector or MSI-X is off.
    virtual void interrupt(u32 vector) = 0;
    /// `due` is called with `tag` in so many nanoseconds; of several for one moment, in their
    /// order.
    virtual void call_later(u64 delay_ns, u64 tag) = 0;
    /// On the machine's clock.
    virtual u64 now_ns() const = 0;
    /// There is an occasion for a fault: whether it happens, and then its amount.
    virtual std::optional<u64> fault(DeviceFault fault) = 0;
};

class PciDevice {
public:
    virtual ~PciDevice() = default;

    /// Always the same.
    virtual PciIdentity identity() const = 0;
    /// The machine starts, or starts over: volatile state is lost, and what was to be called later
    /// is not called. Fills `registers`, which are zero.
    virtual void power_on(std::span<std::byte> registers) = 0;
    /// The kernel has written to the register at `offset`, of whatever width.
    virtual void written(DeviceBus& bus, u64 offset) = 0;
    /// A moment has come that it has asked for.
    virtual void due(DeviceBus& bus, u64 tag) = 0;
    /// It is plugged in: `notice` may be called from any thread but those of signal handlers, and
    /// has `noticed` called soon, until it is plugged in elsewhere or goes.
    virtual void connected(std::function<void()> notice) { static_cast<void>(notice); }
    /// It was pulled out of a machine that runs: the bus is not called any more, and what it was
    /// given by `reach` is not touched when this returns. No other call comes meanwhile.
    virtual void pulled() {}
    /// Appends the events (eventfd) by which the host tells it of what has come, where it has such:
    /// whoever waits may take one, and has `noticed` called then. Before it is first written to.
    virtual void add_events(std::vector<int>& events) const { static_cast<void>(events); }
    /// Machine::notice_device was called for it, or what it was connected with, once or several
    /// times.
    virtual void noticed(DeviceBus&) {}
    /// Whether it asks for moments (DeviceBus::call_later) or faults, which simulated machines
    /// alone have: a live machine refuses it then.
    virtual bool needs_simulation() const { return true; }
    /// In a simulation: no fault happens any more, and what faults have done to what it holds is
    /// undone, so that what the kernel has made of them can be told.
    virtual void faults_are_over() {}
    /// What it has in flight outside the machine ends, and its data is in memory then: before the
    /// memory is copied, cleared or gone. May wait.
    virtual void settle() {}
    /// What it is beside its registers and the moments that it waits for; `load` takes what a
    /// device of the same kind has saved. O(state).
    virtual std::vector<std::byte> save() const = 0;
    virtual void load(std::span<std::byte const> state) = 0;
};

} // namespace hosted
