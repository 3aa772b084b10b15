// The hosted machine: its bus is asked by request (hal/hosted/devices/pci_bus.hpp).
#pragma once

#include "hal/pci_types.hpp"

namespace hal {

struct Pci {
    static u32 space_bytes(u16 segment, u8 bus);
    static u8 read_8(PciAddress function, u32 offset);
    static u16 read_16(PciAddress function, u32 offset);
    static u32 read_32(PciAddress function, u32 offset);
    static void write_8(PciAddress function, u32 offset, u8 value);
    static void write_16(PciAddress function, u32 offset, u16 value);
    static void write_32(PciAddress function, u32 offset, u32 value);
    static Result<void> attach(PciWindow window);
};

} // namespace hal
