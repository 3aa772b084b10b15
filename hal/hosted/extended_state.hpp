// How much room the processor's extended registers take, and which of them a fault saves.
//
// Source: Intel SDM volume 1, chapter 13.
#pragma once

#include <isa/cpuid.hpp>

#include <algorithm>

namespace hosted {

using namespace twofold;

struct ExtendedState {
    u32 mask = 0;         ///< for XSAVE; 0: only FXSAVE
    u32 bytes = 576;      ///< a multiple of 64; the legacy area and the header at least
    bool compact = false; ///< XSAVEC can be used, which leaves out what is as after a reset

    /// What the running processor and host offer: x87, SSE, AVX and AVX-512. Others (keys, tiles)
    /// are changed by no code that a kernel calls.
    static ExtendedState detect() {
        constexpr u32 osxsave = u32{1} << 27;
        constexpr u32 wanted = 0b1110'0111;
        if ((isa::cpuid(1, 0).ecx & osxsave) == 0) {
            return {};
        }
        u32 enabled;
        u32 high;
        asm volatile("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
        ExtendedState state{.mask = enabled & wanted};
        state.compact = (isa::cpuid(0xd, 1).eax & 2) != 0;
        for (u32 component = 2; component < 8; ++component) {
            if ((state.mask >> component & 1) != 0) {
                isa::CpuidLeaf const leaf = isa::cpuid(0xd, component);
                state.bytes = std::max(state.bytes, (leaf.ebx + leaf.eax + 63) / 64 * 64);
            }
        }
        return state;
    }
};

} // namespace hosted
