// See codec.hpp.
#include "core/codec/codec.hpp"

#include "core/codec/lz4_codec.hpp"
#include "core/codec/zstd_codec.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::codec {

namespace {

constexpr usize workspace_alignment = 16;

bool is_sound(Parameters const& parameters, usize input_max) {
    return parameters.level >= Parameters::level_min && parameters.level <= Parameters::level_max &&
           (parameters.algorithm != Algorithm::lz4 || parameters.level <= 0) && input_max != 0 &&
           input_max <= input_bytes_max;
}

} // namespace

std::string_view algorithm_name(Algorithm algorithm) {
    switch (algorithm) {
    case Algorithm::none:
        return "none";
    case Algorithm::lz4:
        return "lz4";
    case Algorithm::zstd:
        return "zstd";
    }
    return "unknown";
}

std::optional<Algorithm> find_algorithm(std::string_view name) {
    for (Algorithm const each : {Algorithm::none, Algorithm::lz4, Algorithm::zstd}) {
        if (algorithm_name(each) == name) {
            return each;
        }
    }
    return std::nullopt;
}

std::string_view library_version(Algorithm algorithm) {
    switch (algorithm) {
    case Algorithm::lz4:
        return lz4::version();
    case Algorithm::zstd:
        return zstd::version();
    case Algorithm::none:
        break;
    }
    return {};
}

Result<usize> workspace_bytes(Parameters const& parameters, usize input_max) {
    if (!is_sound(parameters, input_max)) {
        return Error::invalid_argument;
    }
    switch (parameters.algorithm) {
    case Algorithm::lz4:
        return lz4::state_bytes();
    case Algorithm::zstd:
        return align_up(zstd::compressor_bytes(parameters.level, input_max), workspace_alignment) +
               zstd::decompressor_bytes();
    case Algorithm::none:
        break;
    }
    return usize{0};
}

usize compressed_bytes_max(Algorithm algorithm, usize input) {
    switch (algorithm) {
    case Algorithm::lz4:
        return lz4::bound(input);
    case Algorithm::zstd:
        return zstd::bound(input);
    case Algorithm::none:
        break;
    }
    return input;
}

Result<Codec>
Codec::create(Parameters const& parameters, usize input_max, std::span<std::byte> workspace) {
    if (TRY(workspace_bytes(parameters, input_max)) > workspace.size()) {
        return Error::no_space;
    }
    Codec codec(parameters, input_max);
    if (parameters.algorithm == Algorithm::lz4) {
        codec.m_compressor = workspace.data();
    } else if (parameters.algorithm == Algorithm::zstd) {
        usize const first =
            align_up(zstd::compressor_bytes(parameters.level, input_max), workspace_alignment);
        codec.m_compressor = zstd::make_compressor(workspace.first(first));
        codec.m_decompressor = zstd::make_decompressor(workspace.subspan(first));
        if (codec.m_compressor == nullptr || codec.m_decompressor == nullptr) {
            return Error::invalid_argument; // it is not aligned
        }
    }
    return codec;
}

Result<usize> Codec::compress(std::span<std::byte const> input, std::span<std::byte> output) {
    if (input.empty() || input.size() > m_max) {
        return Error::invalid_argument;
    }
    switch (m_parameters.algorithm) {
    case Algorithm::lz4:
        return lz4::compress(m_compressor, -m_parameters.level + 1, input, output);
    case Algorithm::zstd:
        return zstd::compress(m_compressor, m_parameters.level, m_max, input, output);
    case Algorithm::none:
        break;
    }
    if (input.size() > output.size()) {
        return Error::no_space;
    }
    std::memcpy(output.data(), input.data(), input.size());
    return input.size();
}

Result<void> Codec::decompress(std::span<std::byte const> input, std::span<std::byte> output) {
    switch (m_parameters.algorithm) {
    case Algorithm::lz4:
        return lz4::decompress(input, output);
    case Algorithm::zstd:
        return zstd::decompress(m_decompressor, input, output);
    case Algorithm::none:
        break;
    }
    if (input.size() != output.size()) {
        return Error::corrupted;
    }
    std::ranges::copy(input, output.begin());
    return {};
}

} // namespace twofold::codec
