// Zstandard's frames, by its library.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace twofold::codec::zstd {

std::string_view version();
usize compressor_bytes(i32 level, usize input_max);
usize decompressor_bytes();
usize bound(usize input);
/// Null: the memory is too small or not aligned.
void* make_compressor(std::span<std::byte> memory);
void* make_decompressor(std::span<std::byte> memory);
/// Errors: no_space.
Result<usize> compress(
    void* compressor,
    i32 level,
    usize input_max,
    std::span<std::byte const> input,
    std::span<std::byte> output);
/// Errors: corrupted.
Result<void>
decompress(void* decompressor, std::span<std::byte const> input, std::span<std::byte> output);

} // namespace twofold::codec::zstd
