// The values that the contract of hal/pci.hpp speaks of. Apart from it, so that parsers of
// configuration space can name them without a machine.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

/// Bytes of configuration space that a function has: what every PCI function has, and what PCI
/// Express adds (PCI Express Base Specification 5.0, section 7.2).
inline constexpr u32 pci_space_bytes = 256;
inline constexpr u32 pci_extended_space_bytes = 4096;

/// Where a function is. Devices are 0 to 31, functions 0 to 7; others do not exist.
struct PciAddress {
    u16 segment = 0;
    u8 bus = 0;
    u8 device = 0;
    u8 function = 0;

    static constexpr u8 devices = 32;
    static constexpr u8 functions = 8;
    constexpr auto operator<=>(PciAddress const&) const = default;
    constexpr bool is_possible() const { return device < devices && function < functions; }
};

/// Where the kernel has mapped the memory-mapped configuration space of buses `first_bus` to
/// `last_bus`, uncached: `base` shows the first of them.
struct PciWindow {
    VirtAddr base;
    u16 segment = 0;
    u8 first_bus = 0;
    u8 last_bus = 0;
};

/// Whether an access of `width` bytes at `offset` lies within `space` bytes and is aligned.
constexpr bool is_pci_access(u32 offset, u32 width, u32 space) {
    return width <= space && offset <= space - width && offset % width == 0;
}

} // namespace hal
