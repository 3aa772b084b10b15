// Virtio over PCI: registers in base addresses that vendor-specific capabilities name, interrupts
// as MSI-X. Devices of before the specification ("legacy"), without these, are refused.
//
// Source: VIRTIO 1.2, section 4.1.
#pragma once

#include "core/device/environment.hpp"
#include "core/device/virtio/transport.hpp"

#include <optional>

namespace twofold::device::virtio {

inline constexpr u16 pci_vendor = 0x1af4;

/// The kind of device that a function is (device_kind), or device_kind::none. O(1).
u32 pci_device_kind(pci::Header const& header);

/// Where a structure of the device's registers lies: in which base address, and where in it.
struct PciRegisters {
    u8 bar = 0;
    u32 offset = 0;
    u32 bytes = 0;
};

/// What a function's capabilities say.
struct PciLayout {
    PciRegisters common;
    PciRegisters notify;
    std::optional<PciRegisters> configuration; ///< of the device; some have none
    u32 notify_multiplier = 0;
};

/// Reads and checks the capabilities of `function`: what it names lies inside its base addresses.
/// Errors: not_supported (one is missing, as with a legacy device), corrupted. O(capabilities).
Result<PciLayout> read_pci_layout(pci::FunctionSpace const& space, pci::Function const& function);

/// The device at `function`, decoding and master of its bus, not reset yet. In memory of the heap,
/// until it is closed. Context thread. Errors: those of read_pci_layout; not_supported (no MSI-X),
/// out_of_memory, no_space.
Result<Transport*>
open_pci_transport(DriverEnvironment const& environment, pci::Function const& function);

} // namespace twofold::device::virtio
