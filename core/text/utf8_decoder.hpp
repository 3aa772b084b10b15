// Utf8Decoder: bytes in, code points out, one byte at a time, so that text may be split anywhere.
//
// What is broken becomes U+FFFD, one for each maximal subpart of an ill-formed sequence: a prefix
// of a well-formed sequence as long as it goes, or one byte (Unicode 15.0, section 3.9, "U+FFFD
// Substitution of Maximal Subparts"). What is well formed says table 3-7 there: no overlong forms,
// no surrogates, nothing above U+10FFFF. Pure; any context.
#pragma once

#include "core/base/base.hpp"

namespace twofold::text {

using CodePoint = u32;

inline constexpr CodePoint replacement_character = 0xFFFD;
inline constexpr CodePoint code_point_max = 0x10'FFFF;

/// What a byte completed: at most the replacement of a sequence that it broke off, and a code point
/// of its own.
struct Decoded {
    CodePoint items[2] = {};
    u32 count = 0;

    constexpr void add(CodePoint point) { items[count++] = point; }
};

class Utf8Decoder {
public:
    /// Takes the next byte. O(1).
    constexpr Decoded take(u8 byte) {
        Decoded decoded;
        if (m_missing > 0) {
            if (byte >= m_least && byte <= m_most) {
                m_point = m_point << 6 | (byte & 0x3F);
                m_least = 0x80;
                m_most = 0xBF;
                if (--m_missing == 0) {
                    decoded.add(m_point);
                }
                return decoded;
            }
            m_missing = 0;
            decoded.add(replacement_character);
        }
        begin(byte, decoded);
        return decoded;
    }

    /// Ends what is under way, as at the end of a text: 1 if it was cut and stands for U+FFFD,
    /// else 0. O(1).
    constexpr u32 finish() {
        u32 const cut = is_within() ? 1 : 0;
        m_missing = 0;
        return cut;
    }

    /// Whether a sequence has begun and not ended.
    constexpr bool is_within() const { return m_missing > 0; }

private:
    /// A byte that begins a sequence, or stands alone.
    constexpr void begin(u8 byte, Decoded& decoded) {
        if (byte < 0x80) {
            decoded.add(byte);
        } else if (byte >= 0xC2 && byte <= 0xDF) {
            expect(1, byte & 0x1F, 0x80, 0xBF);
        } else if (byte >= 0xE0 && byte <= 0xEF) {
            expect(2, byte & 0x0F, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF);
        } else if (byte >= 0xF0 && byte <= 0xF4) {
            expect(3, byte & 0x07, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF);
        } else {
            decoded.add(replacement_character);
        }
    }

    constexpr void expect(u8 missing, CodePoint first_bits, u8 least, u8 most) {
        m_missing = missing;
        m_point = first_bits;
        m_least = least;
        m_most = most;
    }

    CodePoint m_point = 0;
    u8 m_missing = 0;  ///< continuation bytes that are still to come
    u8 m_least = 0x80; ///< the next one lies in [m_least, m_most]
    u8 m_most = 0xBF;
};

/// The bytes of a code point in UTF-8. What is none is U+FFFD. O(1).
struct Utf8Bytes {
    char bytes[4] = {};
    u32 size = 0;

    constexpr std::string_view view() const { return {bytes, size}; }
};

constexpr Utf8Bytes encode_utf8(CodePoint point) {
    bool const is_surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (point > code_point_max || is_surrogate) {
        point = replacement_character;
    }
    Utf8Bytes encoded;
    u32 const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1'0000 ? 3 : 4;
    encoded.size = size;
    constexpr u32 leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (u32 i = size; i-- > 1;) {
        encoded.bytes[i] = static_cast<char>(0x80 | (point & 0x3F));
        point >>= 6;
    }
    encoded.bytes[0] = static_cast<char>(leads[size] | point);
    return encoded;
}

} // namespace twofold::text
