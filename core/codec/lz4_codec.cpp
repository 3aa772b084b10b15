// See lz4_codec.hpp.
#include "core/codec/lz4_codec.hpp"

#include <lz4.h>

namespace twofold::codec::lz4 {

namespace {

char const* characters(std::span<std::byte const> bytes) {
    return static_cast<char const*>(static_cast<void const*>(bytes.data()));
}

char* characters(std::span<std::byte> bytes) {
    return static_cast<char*>(static_cast<void*>(bytes.data()));
}

/// A size as the library takes it, and far from where that ends.
int size_of(usize bytes) {
    constexpr usize most = LZ4_MAX_INPUT_SIZE;
    return static_cast<int>(bytes < most ? bytes : most);
}

} // namespace

std::string_view version() {
    return LZ4_VERSION_STRING;
}

usize state_bytes() {
    return static_cast<usize>(LZ4_sizeofState());
}

usize bound(usize input) {
    return static_cast<usize>(LZ4_compressBound(size_of(input)));
}

Result<usize> compress(
    void* state, i32 acceleration, std::span<std::byte const> input, std::span<std::byte> output) {
    int const written = LZ4_compress_fast_extState(
        state, characters(input), characters(output), size_of(input.size()), size_of(output.size()),
        acceleration);
    return written > 0 ? Result<usize>(static_cast<usize>(written)) : Error::no_space;
}

Result<void> decompress(std::span<std::byte const> input, std::span<std::byte> output) {
    int const written = LZ4_decompress_safe(
        characters(input), characters(output), size_of(input.size()), size_of(output.size()));
    bool const is_whole = written >= 0 && static_cast<usize>(written) == output.size();
    return is_whole ? Result<void>() : Error::corrupted;
}

} // namespace twofold::codec::lz4
