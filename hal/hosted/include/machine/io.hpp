// The hosted machine: the registers of a device lie in simulated memory, which its model shares.
#pragma once

#include "isa/device_access.hpp"

namespace hal {

using namespace twofold;

struct Io {
    static u8 read_8(VirtAddr address) { return isa::read_device_8(address); }
    static u16 read_16(VirtAddr address) { return isa::read_device_16(address); }
    static u32 read_32(VirtAddr address) { return isa::read_device_32(address); }
    static u64 read_64(VirtAddr address) { return isa::read_device_64(address); }
    static void write_8(VirtAddr address, u8 value) { isa::write_device_8(address, value); }
    static void write_16(VirtAddr address, u16 value) { isa::write_device_16(address, value); }
    static void write_32(VirtAddr address, u32 value) { isa::write_device_32(address, value); }
    static void write_64(VirtAddr address, u64 value) { isa::write_device_64(address, value); }
};

} // namespace hal
