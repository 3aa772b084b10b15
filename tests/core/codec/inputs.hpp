// What is compressed in tests: blocks of every kind, the same on every machine.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>

namespace twofold::codec::test {

enum class Kind : u8 { zeros, noise, words, runs, count };
inline constexpr usize kinds = static_cast<usize>(Kind::count);

/// Fills `block` by its kind and a seed.
inline void fill(std::span<std::byte> block, Kind kind, u64 seed) {
    Random random(seed);
    constexpr std::string_view words[] = {"block ", "layer ", "and ", "disk ", "of ", "sectors "};
    for (usize at = 0; at < block.size();) {
        u64 const draw = random.next();
        usize length = kind == Kind::runs ? 1 + draw % 300 : 1;
        std::string_view const word = words[draw % std::size(words)];
        length = kind == Kind::words ? word.size() : length;
        for (usize i = 0; i < length && at < block.size(); ++i, ++at) {
            block[at] = kind == Kind::zeros   ? std::byte{}
                        : kind == Kind::noise ? static_cast<std::byte>(draw >> 40)
                        : kind == Kind::words ? static_cast<std::byte>(word[i])
                                              : static_cast<std::byte>(draw >> 32);
        }
    }
}

} // namespace twofold::codec::test
