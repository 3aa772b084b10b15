// The metal machine: registers of devices in memory, and behind the processor's ports.
#pragma once

#include "hal/x86_64/instructions.hpp"
#include "isa/device_access.hpp"

namespace hal {

using namespace twofold;

struct Io : isa::DeviceAccess {
    static u8 read_port_8(u16 port) { return metal::read_port(port); }
    static u16 read_port_16(u16 port) { return metal::read_port_16(port); }
    static u32 read_port_32(u16 port) { return metal::read_port_32(port); }
    static void write_port_8(u16 port, u8 value) { metal::write_port(port, value); }
    static void write_port_16(u16 port, u16 value) { metal::write_port_16(port, value); }
    static void write_port_32(u16 port, u32 value) { metal::write_port_32(port, value); }
};

} // namespace hal
