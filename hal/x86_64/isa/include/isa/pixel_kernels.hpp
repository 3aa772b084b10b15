// The pixel kernels in vector registers, as variants of core/text's reference. Whoever calls them
// owns extended register state (docs/hal.md): a thread that does, or a program of the host.
#pragma once

#include "core/text/pixel_kernels.hpp"

#include "isa/cpuid.hpp"

extern "C" twofold::text::PixelKernels const isa_pixel_kernels_sse2;
extern "C" twofold::text::PixelKernels const isa_pixel_kernels_avx2;

namespace isa {

/// The fastest table that a processor runs. Every x86-64 processor has SSE2. O(1).
inline text::PixelKernels const& pixel_kernels(hal::CpuDescription const& processor) {
    return has(processor, Feature::avx2) ? isa_pixel_kernels_avx2 : isa_pixel_kernels_sse2;
}

} // namespace isa
