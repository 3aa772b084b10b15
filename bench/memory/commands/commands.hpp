// The commands that measure allocators inside of a kernel, for an image of their own
// (bench/image.cpp; bench/sim/ runs them).
#pragma once

#include "core/boot/boot.hpp"

namespace twofold::bench {

/// allocator-bench.
std::span<boot::Command const> memory_bench_commands();

u8 measure_allocators(boot::CommandContext& context);

} // namespace twofold::bench
