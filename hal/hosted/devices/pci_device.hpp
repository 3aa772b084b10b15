// A PCI device of the hosted machine, as a model that is plugged in: who it is, registers in
// simulated memory that it shares with the kernel, memory that it reaches, one interrupt.
//
// The bus (pci_bus.hpp) has its configuration space: one function with its registers at base
// address 0 (32 bit, not prefetchable) and MSI with one vector. The kernel reads registers as they
// are; of each write through hal::Io the device is told afterwards.
//
// Invariant: between two calls what a device is lies in its registers and in itself, as plain data
// that `save` writes and `load` reads: no address of the host, no clock, no chance but its seed's.
// Calls come one at a time.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/devices/device_faults.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace hosted {

using namespace twofold;

inline constexpr u32 pci_devices_max = 31;
inline constexpr u64 pci_device_bytes_max = u64{16} << 10; // of registers: all fit below 2 MiB

/// Who a device is. The vendor is the hosted machine's.
struct PciIdentity {
    u16 device = 0;
    u32 class_and_revision = 0; ///< as the register has them
    u16 subsystem = 0;
    u64 register_bytes = page_size.value; ///< a power of two, pages, at most pci_device_bytes_max

    constexpr bool is_sound() const {
        return is_power_of_two(register_bytes) && register_bytes >= page_size.value &&
               register_bytes <= pci_device_bytes_max;
    }
};

/// What a device may do. For the call that it is given to.
class DeviceBus {
public:
    virtual ~DeviceBus() = default;

    /// Its registers, as the kernel sees them.
    virtual std::span<std::byte> registers() = 0;
    /// Copies from or to physical memory. False, and nothing is copied, where that does not lie in
    /// the machine's memory or the kernel has not made the device a bus master. O(bytes).
    virtual bool read(PhysAddr from, std::span<std::byte> to) = 0;
    virtual bool write(PhysAddr to, std::span<std::byte const> from) = 0;
    /// Raises its interrupt, if the kernel wants it; else nothing happens.
    virtual void interrupt() = 0;
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
    /// What it is beside its registers and the moments that it waits for; `load` takes what a
    /// device of the same kind has saved. O(state).
    virtual std::vector<std::byte> save() const = 0;
    virtual void load(std::span<std::byte const> state) = 0;
};

} // namespace hosted
