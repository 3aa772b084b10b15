// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

struct Io {
    static u8 read_8(VirtAddr address);
    static u16 read_16(VirtAddr address);
    static u32 read_32(VirtAddr address);
    static u64 read_64(VirtAddr address);
    static void write_8(VirtAddr address, u8 value);
    static void write_16(VirtAddr address, u16 value);
    static void write_32(VirtAddr address, u32 value);
    static void write_64(VirtAddr address, u64 value);
    static u8 read_port_8(u16 port);
    static u16 read_port_16(u16 port);
    static u32 read_port_32(u16 port);
    static void write_port_8(u16 port, u8 value);
    static void write_port_16(u16 port, u16 value);
    static void write_port_32(u16 port, u32 value);
};

} // namespace hal
