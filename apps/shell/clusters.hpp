// What a cursor steps over as one: a code point with the marks behind it. Text is UTF-8; a byte
// that belongs to no code point stands for U+FFFD, alone. Pure; any context.
#pragma once

#include "core/text/text.hpp"

namespace twofold::shell {

using text::CodePoint;

/// A code point of a text, and how many bytes it takes there.
struct DecodedPoint {
    CodePoint point;
    usize size;
};

/// The code point at `at`, which lies inside `letters`. O(1).
inline DecodedPoint decode_at(std::string_view letters, usize at) {
    CHECK(at < letters.size());
    text::Utf8Decoder decoder;
    text::Decoded decoded = decoder.take(static_cast<u8>(letters[at]));
    usize end = at + 1;
    while (decoder.is_within() && end < letters.size()) {
        decoded = decoder.take(static_cast<u8>(letters[end++]));
        if (decoded.count > 0 && (decoded.count > 1 || starts_code_point(letters[end - 1]))) {
            return {text::replacement_character, 1}; // the sequence was broken off
        }
    }
    bool const whole = decoded.count == 1 && !decoder.is_within();
    return whole ? DecodedPoint{decoded.items[0], end - at}
                 : DecodedPoint{text::replacement_character, 1};
}

/// Where the code point before `at` begins; `at` is not 0. O(1).
inline usize previous_point(std::string_view letters, usize at) {
    CHECK(at > 0 && at <= letters.size());
    for (usize back = 1; back <= 4 && back <= at; ++back) {
        usize const start = at - back;
        if (starts_code_point(letters[start])) {
            return decode_at(letters, start).size == back ? start : at - 1;
        }
    }
    return at - 1;
}

constexpr bool is_control(CodePoint point) {
    return point < 0x20 || point == 0x7F;
}

/// Whether a code point is shown in the cell of the one before.
inline bool is_mark(CodePoint point) {
    return !is_control(point) && text::width_of(point) == 0;
}

/// Where the cluster that begins at `at` ends. O(marks).
inline usize next_cluster(std::string_view letters, usize at) {
    DecodedPoint const base = decode_at(letters, at);
    at += base.size;
    while (!is_control(base.point) && at < letters.size()) {
        DecodedPoint const next = decode_at(letters, at);
        if (!is_mark(next.point)) {
            break;
        }
        at += next.size;
    }
    return at;
}

/// Where the cluster before `at` begins; `at` is not 0. O(marks).
inline usize previous_cluster(std::string_view letters, usize at) {
    at = previous_point(letters, at);
    while (at > 0 && is_mark(decode_at(letters, at).point)) {
        usize const before = previous_point(letters, at);
        if (is_control(decode_at(letters, before).point)) {
            break;
        }
        at = before;
    }
    return at;
}

/// The first place from `at` on where a cluster begins or the text ends. O(marks).
inline usize cluster_boundary(std::string_view letters, usize at) {
    bool const joined = at > 0 && at < letters.size() && is_mark(decode_at(letters, at).point) &&
                        !is_control(decode_at(letters, previous_point(letters, at)).point);
    return joined ? next_cluster(letters, previous_cluster(letters, at)) : at;
}

} // namespace twofold::shell
