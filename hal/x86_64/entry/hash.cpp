// XXH64. See hash.hpp.
#include "hal/x86_64/entry/hash.hpp"

namespace metal {

namespace {

constexpr u64 prime_1 = 0x9e37'79b1'85eb'ca87;
constexpr u64 prime_2 = 0xc2b2'ae3d'27d4'eb4f;
constexpr u64 prime_3 = 0x1656'67b1'9e37'79f9;
constexpr u64 prime_4 = 0x85eb'ca77'c2b2'ae63;
constexpr u64 prime_5 = 0x27d4'eb2f'1656'67c5;

u64 word_at(std::byte const* bytes) {
    u64 word;
    __builtin_memcpy(&word, bytes, sizeof(word));
    return word;
}

u64 half_word_at(std::byte const* bytes) {
    u32 word;
    __builtin_memcpy(&word, bytes, sizeof(word));
    return word;
}

constexpr u64 round(u64 lane, u64 input) {
    return std::rotl(lane + input * prime_2, 31) * prime_1;
}

constexpr u64 merge(u64 hash, u64 lane) {
    return (hash ^ round(0, lane)) * prime_1 + prime_4;
}

u64 finish(u64 hash, std::span<std::byte const> rest) {
    while (rest.size() >= 8) {
        hash = std::rotl(hash ^ round(0, word_at(rest.data())), 27) * prime_1 + prime_4;
        rest = rest.subspan(8);
    }
    if (rest.size() >= 4) {
        hash = std::rotl(hash ^ half_word_at(rest.data()) * prime_1, 23) * prime_2 + prime_3;
        rest = rest.subspan(4);
    }
    for (std::byte const byte : rest) {
        hash = std::rotl(hash ^ static_cast<u64>(byte) * prime_5, 11) * prime_1;
    }
    hash = (hash ^ hash >> 33) * prime_2;
    hash = (hash ^ hash >> 29) * prime_3;
    return hash ^ hash >> 32;
}

} // namespace

u64 hash64(std::span<std::byte const> bytes) {
    u64 const length = bytes.size();
    if (length < 32) {
        return finish(prime_5 + length, bytes);
    }
    u64 a = prime_1 + prime_2;
    u64 b = prime_2;
    u64 c = 0;
    u64 d = 0 - prime_1;
    std::byte const* at = bytes.data();
    std::byte const* const end = at + length / 32 * 32;
    for (; at != end; at += 32) {
        a = round(a, word_at(at));
        b = round(b, word_at(at + 8));
        c = round(c, word_at(at + 16));
        d = round(d, word_at(at + 24));
    }
    u64 hash = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d);
    return finish(hash + length, bytes.subspan(length / 32 * 32));
}

} // namespace metal
