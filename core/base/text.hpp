// Small operations on text. std::string_view's own substr throws and its constructor from char
// const* calls libc; kernel code uses these instead. Pure; any context.
//
// Reinterpreting bytes as characters is confined to this file: char may alias every object, and
// std::byte has the same size and alignment, so the casts below are sound.
#pragma once

#include "core/base/check.hpp"
#include "core/base/integers.hpp"

#include <span>
#include <string_view>

namespace twofold {

/// The longest text that `text_of` measures; an unterminated string is cut there.
inline constexpr usize text_length_max = usize{1} << 20;

/// The part [offset, offset + length) of `text`; panics if it does not lie inside. O(1).
constexpr std::string_view slice(std::string_view text, usize offset, usize length) {
    CHECK(offset <= text.size());
    CHECK(length <= text.size() - offset);
    text.remove_prefix(offset);
    text.remove_suffix(text.size() - length);
    return text;
}

/// A zero-terminated string as a view; a null pointer is "(null)". O(n).
constexpr std::string_view text_of(char const* text) {
    if (text == nullptr) {
        return "(null)";
    }
    usize length = 0;
    while (length < text_length_max && text[length] != '\0') {
        ++length;
    }
    return {text, length};
}

/// Whether `byte` starts a UTF-8 code point (false for continuation bytes).
constexpr bool starts_code_point(char byte) {
    return (static_cast<u8>(byte) & 0xC0) != 0x80;
}

/// The number of code points in UTF-8 `text`. O(n).
constexpr usize code_point_count(std::string_view text) {
    usize count = 0;
    for (char const byte : text) {
        count += starts_code_point(byte) ? 1 : 0;
    }
    return count;
}

/// The first `count` code points of UTF-8 `text`, or all of it. O(n).
constexpr std::string_view code_point_prefix(std::string_view text, usize count) {
    for (usize i = 0; i < text.size(); ++i) {
        if (starts_code_point(text[i]) && count-- == 0) {
            return slice(text, 0, i);
        }
    }
    return text;
}

/// Bytes seen as characters, and back. O(1).
inline std::string_view text_of_bytes(std::span<std::byte const> bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}
inline std::span<std::byte const> bytes_of_text(std::string_view text) {
    return {reinterpret_cast<std::byte const*>(text.data()), text.size()};
}

} // namespace twofold
