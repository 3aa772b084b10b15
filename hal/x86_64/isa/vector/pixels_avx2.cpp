// The pixel kernels in the registers of AVX2.
#include "hal/x86_64/isa/vector/pixels.hpp"

namespace {

struct Avx2 {
    using U32 = u32 __attribute__((vector_size(32)));
    using U16 = u16 __attribute__((vector_size(32)));
};

} // namespace

extern "C" twofold::text::PixelKernels const isa_pixel_kernels_avx2;
twofold::text::PixelKernels const isa_pixel_kernels_avx2 = kernels<Avx2>;
