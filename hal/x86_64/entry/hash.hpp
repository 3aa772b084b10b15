// XXH64: a fast 64-bit hash against accidental damage. It costs half an instruction a byte, which
// is what a start of a few million instructions can afford.
//
// Source: the xxHash specification, version 0.1.1, "XXH64 algorithm description". The tests hold it
// against the original.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace metal {

using namespace twofold;

/// The hash of `bytes` with seed 0. Any context; pure; O(n).
u64 hash64(std::span<std::byte const> bytes);

} // namespace metal
