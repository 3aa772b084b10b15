// Compression of blocks, by LZ4 and by Zstandard: from memory into memory, with a workspace that
// the caller gives. Nothing is allocated, and what was compressed is hostile when it is
// decompressed.
//
//     Result<Codec> codec = Codec::create({Algorithm::zstd, 1}, 64 << 10, workspace);
//     usize const size = TRY(codec.compress(block, room));
//
// The same input, parameters and input_max give the same output on every machine, as long as the
// libraries are the same.
//
// Source: the formats are LZ4's block format and Zstandard's (RFC 8878); the code that reads and
// writes them is that of their libraries, built freestanding (ports/).
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace twofold::codec {

enum class Algorithm : u8 { none, lz4, zstd };

/// "none", "lz4", "zstd".
std::string_view algorithm_name(Algorithm algorithm);
std::optional<Algorithm> find_algorithm(std::string_view name);

/// "1.5.4"; empty for `none`. What blocks become may differ from version to version, what they are
/// decompressed to never does.
std::string_view library_version(Algorithm algorithm);

/// How to compress. `level` is Zstandard's, level_min to level_max, where more is smaller and
/// slower; for LZ4 it is the acceleration with its sign turned: 0 is its default, -9 the fastest.
struct Parameters {
    Algorithm algorithm = Algorithm::none;
    i32 level = 0;

    static constexpr i32 level_min = -9;
    static constexpr i32 level_max = 9;
};

/// The most bytes in one call.
inline constexpr usize input_bytes_max = usize{1} << 20;

/// Bytes of the workspace for inputs of up to `input_max` bytes. Errors: invalid_argument (a level
/// or a size that is not allowed). O(1).
Result<usize> workspace_bytes(Parameters const& parameters, usize input_max);

/// The most that `input` bytes can become; room of that size always suffices. O(1).
usize compressed_bytes_max(Algorithm algorithm, usize input);

/// A compressor and decompressor. One call at a time; any context with a stack of 16 KiB left.
class Codec {
public:
    /// `workspace` is the codec's from now on, aligned to 16. Errors: invalid_argument, no_space
    /// (the workspace is too small).
    static Result<Codec>
    create(Parameters const& parameters, usize input_max, std::span<std::byte> workspace);

    /// How many bytes of `output` were written. Errors: no_space (it does not fit: that much does
    /// not pay), invalid_argument (more than input_max, or nothing). O(input).
    Result<usize> compress(std::span<std::byte const> input, std::span<std::byte> output);
    /// Fills all of `output`. Errors: corrupted (the input is damaged, or was compressed of another
    /// size). O(output).
    Result<void> decompress(std::span<std::byte const> input, std::span<std::byte> output);

private:
    Codec(Parameters const& parameters, usize input_max)
        : m_parameters(parameters), m_max(input_max) {}

    Parameters m_parameters;
    usize m_max;
    void* m_compressor = nullptr;   ///< of the library, in the workspace
    void* m_decompressor = nullptr; ///< the same
};

} // namespace twofold::codec
