// See zstd_codec.hpp.
#include "core/codec/zstd_codec.hpp"

// How large a compressor is, and parameters that stay as they are: of the library that is built
// with the kernel, whatever its next version has.
#define ZSTD_STATIC_LINKING_ONLY
#define ZSTD_DISABLE_DEPRECATE_WARNINGS
#include <zstd.h>

namespace twofold::codec::zstd {

namespace {

/// The same for every input of up to `input_max` bytes: the workspace is made for it.
ZSTD_compressionParameters parameters_of(i32 level, usize input_max) {
    return ZSTD_getCParams(level, input_max, 0);
}

} // namespace

std::string_view version() {
    return ZSTD_VERSION_STRING;
}

usize compressor_bytes(i32 level, usize input_max) {
    return ZSTD_estimateCCtxSize_usingCParams(parameters_of(level, input_max));
}

usize decompressor_bytes() {
    return ZSTD_estimateDCtxSize();
}

usize bound(usize input) {
    return ZSTD_compressBound(input);
}

void* make_compressor(std::span<std::byte> memory) {
    return ZSTD_initStaticCCtx(memory.data(), memory.size());
}

void* make_decompressor(std::span<std::byte> memory) {
    return ZSTD_initStaticDCtx(memory.data(), memory.size());
}

Result<usize> compress(
    void* compressor,
    i32 level,
    usize input_max,
    std::span<std::byte const> input,
    std::span<std::byte> output) {
    ZSTD_parameters const parameters{
        .cParams = parameters_of(level, input_max),
        .fParams = {.contentSizeFlag = 1, .checksumFlag = 0, .noDictIDFlag = 1}};
    usize const written = ZSTD_compress_advanced(
        static_cast<ZSTD_CCtx*>(compressor), output.data(), output.size(), input.data(),
        input.size(), nullptr, 0, parameters);
    return ZSTD_isError(written) == 0 ? Result<usize>(written) : Error::no_space;
}

Result<void>
decompress(void* decompressor, std::span<std::byte const> input, std::span<std::byte> output) {
    usize const written = ZSTD_decompressDCtx(
        static_cast<ZSTD_DCtx*>(decompressor), output.data(), output.size(), input.data(),
        input.size());
    bool const is_whole = ZSTD_isError(written) == 0 && written == output.size();
    return is_whole ? Result<void>() : Error::corrupted;
}

} // namespace twofold::codec::zstd
