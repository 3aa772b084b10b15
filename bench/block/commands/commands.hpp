// The commands that measure drivers of block devices inside of a kernel, for an image of their own
// (bench/image.cpp).
#pragma once

#include "core/boot/boot.hpp"

namespace twofold::bench {

/// nvme-bench.
std::span<boot::Command const> block_bench_commands();

} // namespace twofold::bench
