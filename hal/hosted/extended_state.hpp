// The extended registers that a fault or an interrupt of kernel code saves.
//
// Source: Intel SDM volume 1, chapter 13.
#pragma once

#include <isa/extended_state.hpp>

namespace hosted {

using namespace twofold;

/// What the running processor and host offer: x87, SSE, AVX and AVX-512. Others (keys, tiles) are
/// changed by no code that a kernel calls.
inline isa::ExtendedFormat host_extended_format() {
    constexpr u32 osxsave = u32{1} << 27;
    if ((isa::cpuid(1, 0).ecx & osxsave) == 0) {
        return isa::extended_format(0);
    }
    u32 enabled;
    u32 high;
    asm volatile("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
    namespace bit = isa::state_bit;
    return isa::extended_format(enabled & (bit::x87 | bit::sse | bit::avx | bit::avx_512));
}

} // namespace hosted
