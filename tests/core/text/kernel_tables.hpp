// Every table of pixel kernels that this host can run.
#pragma once

#include "core/text/pixel_kernels.hpp"

#include <isa/pixel_kernels.hpp>

#include <vector>

namespace twofold::text::testing {

struct KernelTable {
    char const* name;
    PixelKernels const& kernels;
};

inline std::vector<KernelTable> kernel_tables() {
    std::vector<KernelTable> tables = {
        {"reference", reference_pixel_kernels()}, {"sse2", isa_pixel_kernels_sse2}};
    if (isa::has(isa::decode(isa::read_cpuid()), isa::Feature::avx2)) {
        tables.push_back({"avx2", isa_pixel_kernels_avx2});
    }
    return tables;
}

} // namespace twofold::text::testing
