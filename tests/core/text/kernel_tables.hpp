// Every table of pixel kernels that this host can run.
#pragma once

#include "core/text/pixel_kernels.hpp"

#include <vector>

namespace twofold::text::testing {

struct KernelTable {
    char const* name;
    PixelKernels const& kernels;
};

inline std::vector<KernelTable> kernel_tables() {
    return {{"reference", reference_pixel_kernels()}};
}

} // namespace twofold::text::testing
