// CRC-32 as IEEE 802.3 defines it (reflected, polynomial 0xEDB88320, as in zlib): detects torn and
// garbled records. Not a defence against intent. Pure; constexpr; one table of 1 KiB.
//
// Source: ISO 3309 / ITU-T V.42; the byte-wise table method of D. V. Sarwate, CACM 31(8), 1988.
#pragma once

#include "core/base/integers.hpp"

#include <array>
#include <cstddef>
#include <span>

namespace twofold {

namespace detail {

consteval std::array<u32, 256> make_crc32_table() {
    std::array<u32, 256> table{};
    for (u32 byte = 0; byte < 256; ++byte) {
        u32 remainder = byte;
        for (int bit = 0; bit < 8; ++bit) {
            remainder = remainder >> 1 ^ ((remainder & 1) != 0 ? 0xEDB8'8320U : 0);
        }
        table[byte] = remainder;
    }
    return table;
}

inline constexpr std::array<u32, 256> crc32_table = make_crc32_table();

} // namespace detail

/// A checksum over data that comes in pieces. O(n); any context.
class Crc32 {
public:
    constexpr void update(std::span<std::byte const> data) {
        for (std::byte const byte : data) {
            u32 const index = (m_state ^ std::to_integer<u32>(byte)) & 0xFF;
            m_state = detail::crc32_table[index] ^ m_state >> 8;
        }
    }
    /// The checksum of everything so far.
    constexpr u32 value() const { return ~m_state; }

private:
    u32 m_state = ~u32{0};
};

/// The checksum of `data`. O(n); any context.
constexpr u32 crc32(std::span<std::byte const> data) {
    Crc32 checksum;
    checksum.update(data);
    return checksum.value();
}

} // namespace twofold
