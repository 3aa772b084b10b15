// The pixel kernels in the registers of SSE2.
#include "hal/x86_64/isa/vector/pixels.hpp"

namespace {

struct Sse2 {
    using U32 = u32 __attribute__((vector_size(16)));
    using U16 = u16 __attribute__((vector_size(16)));
};

} // namespace

extern "C" twofold::text::PixelKernels const isa_pixel_kernels_sse2;
twofold::text::PixelKernels const isa_pixel_kernels_sse2 = kernels<Sse2>;
