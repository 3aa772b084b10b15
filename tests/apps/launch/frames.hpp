// An encoder of result frames for tests of those who read them. Written from the format's
// description alone, apart from the decoder, so that the two check each other.
#pragma once

#include "core/base/base.hpp"

#include <cstring>
#include <string>
#include <string_view>

namespace twofold::launch::test {

inline void put(std::string& out, u64 value, unsigned bytes) {
    for (unsigned index = 0; index < bytes; ++index) {
        out += static_cast<char>(value >> (8 * index));
    }
}

/// CRC-32 bit by bit, most plainly.
inline u32 plain_crc32(std::string_view bytes) {
    u32 value = ~0u;
    for (char const byte : bytes) {
        value ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1) != 0 ? (value >> 1) ^ 0xEDB88320u : value >> 1;
        }
    }
    return ~value;
}

/// Builds a payload field by field.
struct Payload {
    std::string bytes;

    Payload& u(u64 value) {
        bytes += 'u';
        put(bytes, value, 8);
        return *this;
    }
    Payload& i(i64 value) {
        bytes += 'i';
        put(bytes, static_cast<u64>(value), 8);
        return *this;
    }
    Payload& s(std::string_view text) {
        bytes += 's';
        put(bytes, text.size(), 2);
        bytes += text;
        return *this;
    }
};

/// The whole frame of a record of `type`.
inline std::string frame(u8 type, Payload const& payload) {
    std::string covered;
    put(covered, type, 1);
    put(covered, payload.bytes.size(), 2);
    covered += payload.bytes;
    std::string out = "T2F\x1E" + covered;
    put(out, plain_crc32(covered), 4);
    return out;
}

} // namespace twofold::launch::test
