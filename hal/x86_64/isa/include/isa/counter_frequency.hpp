// The frequencies that CPUID tells. Pure.
//
// Source: SDM volume 2A, CPUID leaves 0x15 and 0x16; volume 3B, section 19.7.3.
#pragma once

#include "isa/cpuid.hpp"

namespace isa {

/// Of the time-stamp counter in Hz, by leaf 0x15, else by leaf 0x16 (which rounds to MHz); 0 where
/// neither says. A leaf that the processor does not have is all zero.
constexpr u64 time_stamp_hz(CpuidLeaf const& ratio, CpuidLeaf const& frequencies) {
    constexpr u64 hz_per_mhz = 1'000'000;
    u64 const denominator = ratio.eax, numerator = ratio.ebx, crystal_hz = ratio.ecx;
    if (denominator != 0 && numerator != 0 && crystal_hz != 0) {
        return crystal_hz * numerator / denominator; // 32 bits each: no overflow
    }
    return u64{frequencies.eax & 0xffff} * hz_per_mhz;
}

} // namespace isa
