// LZ4's block format, by its library.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace twofold::codec::lz4 {

std::string_view version();
usize state_bytes();
usize bound(usize input);
/// Errors: no_space.
Result<usize> compress(
    void* state, i32 acceleration, std::span<std::byte const> input, std::span<std::byte> output);
/// Errors: corrupted.
Result<void> decompress(std::span<std::byte const> input, std::span<std::byte> output);

} // namespace twofold::codec::lz4
