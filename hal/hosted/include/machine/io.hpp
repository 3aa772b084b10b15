// The hosted machine: the registers of a device lie in simulated memory, which its model shares.
// Reads see them as they are; of each write the model is told at once, as if the processor had left
// the kernel for it. Each access to a port is asked of the machine.
#pragma once

#include <isa/device_access.hpp>

namespace hosted {

/// Has the model of the device, if there is one, do what the register at `address` is for. See
/// guest/exits.cpp.
void tell_device(twofold::VirtAddr address);

/// One access to a port, of `width` bytes: 1, 2 or 4.
twofold::u32 read_port(twofold::u16 port, twofold::u32 width);
void write_port(twofold::u16 port, twofold::u32 width, twofold::u32 value);

} // namespace hosted

namespace hal {

using namespace twofold;

struct Io : isa::DeviceAccess {
    static void write_8(VirtAddr address, u8 value) {
        isa::DeviceAccess::write_8(address, value);
        hosted::tell_device(address);
    }
    static void write_16(VirtAddr address, u16 value) {
        isa::DeviceAccess::write_16(address, value);
        hosted::tell_device(address);
    }
    static void write_32(VirtAddr address, u32 value) {
        isa::DeviceAccess::write_32(address, value);
        hosted::tell_device(address);
    }
    static void write_64(VirtAddr address, u64 value) {
        isa::DeviceAccess::write_64(address, value);
        hosted::tell_device(address);
    }
    static u8 read_port_8(u16 port) { return static_cast<u8>(hosted::read_port(port, 1)); }
    static u16 read_port_16(u16 port) { return static_cast<u16>(hosted::read_port(port, 2)); }
    static u32 read_port_32(u16 port) { return hosted::read_port(port, 4); }
    static void write_port_8(u16 port, u8 value) { hosted::write_port(port, 1, value); }
    static void write_port_16(u16 port, u16 value) { hosted::write_port(port, 2, value); }
    static void write_port_32(u16 port, u32 value) { hosted::write_port(port, 4, value); }
};

} // namespace hal
