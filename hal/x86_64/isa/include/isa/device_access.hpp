// Single accesses to the registers of a device in memory.
//
// Source: AMD64 processors of family 10h reach memory-mapped configuration space through the
// accumulator alone (BIOS and Kernel Developer's Guide 31116, section 2.11), so that is what every
// access here goes through.
#pragma once

#include "core/base/base.hpp"

namespace isa {

using namespace twofold;

/// Sound, all of them: the caller has mapped a register of that width there.
struct DeviceAccess {
    static u8 read_8(VirtAddr address) {
        u8 value;
        asm volatile("movb (%1), %%al" : "=a"(value) : "r"(address.value) : "memory");
        return value;
    }
    static u16 read_16(VirtAddr address) {
        u16 value;
        asm volatile("movw (%1), %%ax" : "=a"(value) : "r"(address.value) : "memory");
        return value;
    }
    static u32 read_32(VirtAddr address) {
        u32 value;
        asm volatile("movl (%1), %%eax" : "=a"(value) : "r"(address.value) : "memory");
        return value;
    }
    static u64 read_64(VirtAddr address) {
        u64 value;
        asm volatile("movq (%1), %%rax" : "=a"(value) : "r"(address.value) : "memory");
        return value;
    }
    static void write_8(VirtAddr address, u8 value) {
        asm volatile("movb %%al, (%1)" : : "a"(value), "r"(address.value) : "memory");
    }
    static void write_16(VirtAddr address, u16 value) {
        asm volatile("movw %%ax, (%1)" : : "a"(value), "r"(address.value) : "memory");
    }
    static void write_32(VirtAddr address, u32 value) {
        asm volatile("movl %%eax, (%1)" : : "a"(value), "r"(address.value) : "memory");
    }
    static void write_64(VirtAddr address, u64 value) {
        asm volatile("movq %%rax, (%1)" : : "a"(value), "r"(address.value) : "memory");
    }
};

} // namespace isa
