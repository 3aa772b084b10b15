// The instructions that C++ has no words for, one function each. Every one is O(1) and may be used
// in any context unless its name says otherwise.
//
// Source: SDM volume 2.
#pragma once

#include "core/base/base.hpp"

namespace metal {

using namespace twofold;

inline void write_port(u16 port, u8 value) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void write_port_16(u16 port, u16 value) {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void write_port_32(u16 port, u32 value) {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline u8 read_port(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline u16 read_port_16(u16 port) {
    u16 value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline u32 read_port_32(u16 port) {
    u32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

/// Writes `count` bytes from `bytes` to `port`, one after the other. O(count).
inline void write_port_bytes(u16 port, void const* bytes, usize count) {
    asm volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}
/// Reads `count` bytes from `port` to `bytes`. O(count).
inline void read_port_bytes(u16 port, void* bytes, usize count) {
    asm volatile("rep insb" : "+D"(bytes), "+c"(count) : "d"(port) : "memory");
}

inline u64 read_msr(u32 number) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return static_cast<u64>(high) << 32 | low;
}
inline void write_msr(u32 number, u64 value) {
    asm volatile("wrmsr"
                 :
                 : "c"(number), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32))
                 : "memory");
}

/// Model-specific registers (SDM volume 4).
namespace msr {

inline constexpr u32 apic_base = 0x1b;
inline constexpr u32 tsc_deadline = 0x6e0;
inline constexpr u32 gs_base = 0xc000'0101;

} // namespace msr

inline u64 read_cr0() {
    u64 value;
    asm volatile("movq %%cr0, %0" : "=r"(value) : : "memory");
    return value;
}
/// CR0.TS: instructions that use extended registers fault while it is set.
inline void set_task_switched() {
    constexpr u64 task_switched = u64{1} << 3;
    asm volatile("movq %0, %%cr0" : : "r"(read_cr0() | task_switched) : "memory");
}
inline void clear_task_switched() {
    asm volatile("clts" : : : "memory");
}
inline u64 read_cr2() {
    u64 value;
    asm volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}
inline void write_cr2(u64 value) {
    asm volatile("movq %0, %%cr2" : : "r"(value));
}
inline u64 read_cr3() {
    u64 value;
    asm volatile("movq %%cr3, %0" : "=r"(value) : : "memory");
    return value;
}
inline void write_cr3(u64 value) {
    asm volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}
inline u64 read_cr4() {
    u64 value;
    asm volatile("movq %%cr4, %0" : "=r"(value) : : "memory");
    return value;
}
inline void write_cr4(u64 value) {
    asm volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

/// Bits of CR4 (SDM volume 3A, section 2.5).
namespace cr4 {

inline constexpr u64 global_pages = u64{1} << 7;
inline constexpr u64 fxsave = u64{1} << 9;             ///< OSFXSR: vector state can be saved
inline constexpr u64 vector_exceptions = u64{1} << 10; ///< OSXMMEXCPT
inline constexpr u64 umip = u64{1} << 11;
inline constexpr u64 xsave = u64{1} << 18;
inline constexpr u64 smep = u64{1} << 20;
inline constexpr u64 smap = u64{1} << 21;

} // namespace cr4

inline void invalidate_page(u64 address) {
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

inline u64 read_time_stamp() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return static_cast<u64>(high) << 32 | low;
}

/// The time-stamp counter, not before what comes before it has been done.
inline u64 read_time_stamp_in_order() {
    u32 low, high;
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return static_cast<u64>(high) << 32 | low;
}

/// Which parts of the extended state are enabled (XCR0). CR4 must allow it.
inline u64 read_extended_control() {
    u32 low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return static_cast<u64>(high) << 32 | low;
}
inline void write_extended_control(u64 value) {
    asm volatile("xsetbv"
                 :
                 : "c"(0), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32))
                 : "memory");
}

/// One try of RDRAND, which the processor must have. False: it had nothing to give.
inline bool read_random(u64& value) {
    bool valid;
    asm volatile("rdrand %0" : "=r"(value), "=@ccc"(valid));
    return valid;
}

/// One try of RDSEED, which the processor must have. False: it had nothing to give.
inline bool read_seed(u64& value) {
    bool valid;
    asm volatile("rdseed %0" : "=r"(value), "=@ccc"(valid));
    return valid;
}

/// Lets interrupts through and sleeps until one was taken; then disabled again. None is missed: STI
/// takes effect behind the instruction after it.
inline void sleep_until_interrupt() {
    asm volatile("sti\n\thlt\n\tcli" : : : "memory");
}

/// Takes what is pending, with interrupts disabled before and after. The instruction behind `sti`
/// runs first.
inline void take_pending_interrupts() {
    asm volatile("sti\n\tnop\n\tcli" : : : "memory");
}

/// Stops the processor for good.
[[noreturn]] inline void stop() {
    for (;;) {
        asm volatile("cli\n\thlt" : : : "memory");
    }
}

} // namespace metal
