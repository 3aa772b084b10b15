// The hosted machine: the registers of a device lie in simulated memory, which its model shares.
// Reads see them as they are; of each write the model is told at once, as if the processor had left
// the kernel for it.
#pragma once

#include <isa/device_access.hpp>

namespace hosted {

/// Has the model of the device, if there is one, do what the register at `address` is for. See
/// guest/exits.cpp.
void tell_device(twofold::VirtAddr address);

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
};

} // namespace hal
