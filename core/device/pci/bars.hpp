// Base address registers: where a function's registers and memory lie, and how large they are. Pure
// but for the accesses that it is given.
//
// The size is found by writing all ones and looking which bits stay: those below it cannot be set.
// Decoding is off meanwhile, or the function would answer at the top of the address space.
//
// Source: PCI Local Bus Specification 3.0, sections 6.2.5.1 and 6.2.5.2.
#pragma once

#include "core/device/pci/header.hpp"

namespace twofold::pci {

enum class BarKind : u8 { io, memory_32, memory_64, rom };
std::string_view bar_kind_name(BarKind kind);

/// The number that an expansion ROM has among the registers.
inline constexpr u8 rom_number = 6;

struct Bar {
    BarKind kind = BarKind::io;
    u8 number = 0; ///< of the register: 0 to 5; of two, the first; rom_number
    bool prefetchable = false;
    u64 address = 0; ///< 0: none was given to it
    Bytes size{};    ///< a power of two; 0 if it could not be sized

    bool is_memory() const { return kind != BarKind::io; }
};

inline constexpr usize bars_max = 7; ///< six and the ROM
using Bars = FixedVector<Bar, bars_max>;

/// What is read of a register before and after all ones were written to it.
struct BarProbe {
    u64 before = 0;
    u64 after = 0;
};

/// How many registers a header of that kind has, without the ROM.
constexpr u8 bar_count(HeaderKind kind) {
    return kind == HeaderKind::endpoint ? 6 : kind == HeaderKind::bridge ? 2 : 0;
}

/// Whether the probe of a register's 32 bits says that the next register is its upper half.
constexpr bool is_wide(BarProbe const& low) {
    return (low.after & 7) == 4;
}

/// What a register is, from a probe of its 32 or 64 bits; nothing if it is not there, or if a
/// defect says that it makes no sense. Pure. O(1).
std::optional<Bar> decode_bar(BarProbe const& probe, u8 number, Defects& defects);
std::optional<Bar> decode_rom(BarProbe const& probe, Defects& defects);

/// All base addresses of a function of that kind. Its driver is not running: decoding goes off and
/// comes back. Where it cannot be switched off nothing is written, and the sizes are 0. O(1).
Bars read_bars(FunctionSpace const& space, HeaderKind kind, Defects& defects);

} // namespace twofold::pci
