// Virtio over registers in memory, with one line for all interrupts: what machines without PCI
// have. Version 2 of the registers; version 1 ("legacy") is refused.
//
// Source: VIRTIO 1.2, section 4.2.
#pragma once

#include "core/device/environment.hpp"
#include "core/device/virtio/transport.hpp"

namespace twofold::device::virtio {

/// Where a device's registers lie, and its line.
struct MmioPlace {
    PhysAddr registers;
    Bytes size{}; ///< 0x100 at least, and what the device's own configuration takes
    hal::Line line;

    constexpr bool operator==(MmioPlace const&) const = default;
};

/// "SIZE@ADDRESS:LINE", as the kernel command line says it, in the numbers of base/parse.hpp.
/// Errors: invalid_argument. O(length).
Result<MmioPlace> parse_mmio_place(std::string_view text);

/// The device of that kind at `place`, not reset yet. In memory of the heap, until it is closed.
/// Context thread. Errors: not_found (no device, or one of another kind), not_supported (a legacy
/// device, or none of virtio), invalid_argument (too few registers), out_of_memory, no_space.
Result<Transport*>
open_mmio_transport(DriverEnvironment const& environment, MmioPlace const& place, u32 kind);

} // namespace twofold::device::virtio
