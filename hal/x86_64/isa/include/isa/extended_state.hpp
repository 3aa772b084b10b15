// The extended state (what XSAVE saves): which parts of it an operating system enables, how much
// memory they take, and how they are saved and restored.
//
// Source: SDM volume 1, chapter 13; volume 2A, CPUID leaf 0xD.
#pragma once

#include "isa/cpuid.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace isa {

/// Parts of the extended state: bits of XCR0.
namespace state_bit {

inline constexpr u64 x87 = u64{1} << 0;
inline constexpr u64 sse = u64{1} << 1;
inline constexpr u64 avx = u64{1} << 2;
inline constexpr u64 avx_512 = u64{7} << 5; ///< masks, upper halves, upper registers: all or none

} // namespace state_bit

/// What XCR0 is set to, from leaf 0xD, subleaf 0: x87 and SSE, which it must hold, AVX where there
/// is one, AVX-512 where all of it and AVX is there. Nothing else: no code here uses it.
constexpr u64 extended_state_to_enable(CpuidLeaf const& state) {
    u64 const supported = u64{state.edx} << 32 | state.eax;
    u64 enabled = state_bit::x87 | state_bit::sse;
    enabled |= supported & state_bit::avx;
    bool const has_all = (supported & state_bit::avx_512) == state_bit::avx_512;
    return enabled | ((enabled & state_bit::avx) != 0 && has_all ? state_bit::avx_512 : 0);
}

/// The instruction that saves: the first of these that a processor has, from below.
enum class SaveInstruction : u8 {
    fxsave,   ///< x87 and SSE alone, on processors without XSAVE
    xsave,    ///< all that is enabled
    xsaveopt, ///< but for what is as after a reset, or as it was restored
    xsavec,   ///< but for what is as after a reset, which takes no room either
};

/// How extended registers are kept in memory.
struct ExtendedFormat {
    u64 mask = 0;    ///< the parts, for XSAVE and XRSTOR; 0 without these
    u32 bytes = 576; ///< a multiple of 64; the legacy area and the header at least
    SaveInstruction instruction = SaveInstruction::fxsave;
};

/// The format of the running processor, where the parts `enabled` are: what XCR0 says, or 0 where
/// XSAVE is not switched on.
inline ExtendedFormat extended_format(u64 enabled) {
    ExtendedFormat format{.mask = enabled};
    if (enabled == 0) {
        return format;
    }
    constexpr u32 optimised = 1, compact = 2;
    u32 const capabilities = cpuid(0xd, 1).eax;
    format.instruction = (capabilities & compact) != 0     ? SaveInstruction::xsavec
                         : (capabilities & optimised) != 0 ? SaveInstruction::xsaveopt
                                                           : SaveInstruction::xsave;
    for (u32 component = 2; component < 63; ++component) {
        if ((enabled >> component & 1) != 0) {
            CpuidLeaf const leaf = cpuid(0xd, component);
            format.bytes = std::max(format.bytes, (leaf.ebx + leaf.eax + 63) / 64 * 64);
        }
    }
    return format;
}

/// The beginning of what XSAVE leaves: what FXSAVE leaves too, and the header.
struct ExtendedArea {
    static constexpr u16 initial_control = 0x037f; ///< x87: all exceptions masked, to nearest
    static constexpr u32 initial_mxcsr = 0x1f80;   ///< the same for SSE; subnormals as they are

    u16 x87_control;
    u16 x87_status;
    u16 x87_tags; ///< abridged: 0 is all empty
    u16 x87_opcode;
    u64 x87_instruction, x87_operand;
    u32 mxcsr, mxcsr_mask;
    u64 registers[52];
    u64 unused[7];    ///< bytes that no instruction touches, from 448 on
    u64 control_only; ///< of the software's own: the control words alone are kept
    u64 present;      ///< XSTATE_BV: parts that are not as after a reset
    u64 compact;      ///< XCOMP_BV
    u64 reserved[6];
};
static_assert(sizeof(ExtendedArea) == 576 && offsetof(ExtendedArea, mxcsr) == 24);
static_assert(offsetof(ExtendedArea, control_only) == 504);
static_assert(offsetof(ExtendedArea, present) == 512);

/// `area` as what it begins with; it is aligned and large enough, which is checked.
inline ExtendedArea& extended_area(std::span<std::byte> area, ExtendedFormat const& format) {
    CHECK(area.size() >= format.bytes && reinterpret_cast<u64>(area.data()) % 64 == 0);
    // Sound: the caller hands the area over for this, and nothing else is kept there.
    return *reinterpret_cast<ExtendedArea*>(area.data());
}

/// The contract's ExtendedState, on the running processor.
inline void prepare_state(std::span<std::byte> area, ExtendedFormat const& format) {
    ExtendedArea& into = extended_area(area, format);
    __builtin_memset(area.data(), 0, format.bytes);
    into.x87_control = ExtendedArea::initial_control;
    into.mxcsr = ExtendedArea::initial_mxcsr; // taken whatever parts are present
    into.present = state_bit::x87;
}

inline void restore_state(std::span<std::byte> area, ExtendedFormat const& format) {
    ExtendedArea& from = extended_area(area, format);
    if (from.control_only != 0) {
        // XRSTOR takes tens of nanoseconds even where there is nothing to restore.
        asm volatile("fldcw %0\n\tldmxcsr %1" : : "m"(from.x87_control), "m"(from.mxcsr));
    } else if (format.instruction == SaveInstruction::fxsave) {
        asm volatile("fxrstor64 %0" : : "m"(from) : "memory");
    } else {
        asm volatile("xrstor64 %0"
                     :
                     : "m"(from), "a"(static_cast<u32>(format.mask)),
                       "d"(static_cast<u32>(format.mask >> 32))
                     : "memory");
    }
}

inline void save_state(std::span<std::byte> area, ExtendedFormat const& format) {
    ExtendedArea& into = extended_area(area, format);
    into.control_only = 0;
    u32 const low = static_cast<u32>(format.mask);
    u32 const high = static_cast<u32>(format.mask >> 32);
    switch (format.instruction) {
    case SaveInstruction::xsavec:
        asm volatile("xsavec64 %0" : "+m"(into) : "a"(low), "d"(high) : "memory");
        return;
    case SaveInstruction::xsaveopt:
        asm volatile("xsaveopt64 %0" : "+m"(into) : "a"(low), "d"(high) : "memory");
        return;
    case SaveInstruction::xsave:
        asm volatile("xsave64 %0" : "+m"(into) : "a"(low), "d"(high) : "memory");
        return;
    case SaveInstruction::fxsave:
        asm volatile("fxsave64 %0" : "+m"(into) : : "memory");
        return;
    }
}

inline void save_state_control(std::span<std::byte> area, ExtendedFormat const& format) {
    ExtendedArea& into = extended_area(area, format);
    asm volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(into.x87_control), "=m"(into.mxcsr));
    into.control_only = 1;
}

} // namespace isa
