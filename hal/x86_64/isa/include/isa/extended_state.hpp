// Which parts of the extended state (what XSAVE saves) an operating system enables, and how much
// memory they take. Pure.
//
// Source: SDM volume 1, sections 13.1 to 13.3; volume 2A, CPUID leaf 0xD.
#pragma once

#include "isa/cpuid.hpp"

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

} // namespace isa
