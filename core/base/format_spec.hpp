// The syntax of format strings (fmt's): `{}` `{{` `}}` `{0}` and
//     {[index][:[[fill]align][sign][#][0][width][.precision][type]]}
// where width and precision may be `{}` or `{index}`. This file reads and checks it; it is the one
// reader for the compiler (FormatString, format.hpp) and for the engine (format.cpp).
//
// Differences from fmt, all of them refusals: no floating point, locale ('L'), debug ('?') or named
// arguments; a fill is one ASCII character; width and precision end at format_size_max; `0`, `#`
// and a sign are refused where a value is shown as text (fmt shows some of these in odd ways). As
// in the standard, `0` is ignored beside an alignment.
#pragma once

#include "core/base/integers.hpp"
#include "core/base/text.hpp"

#include <span>
#include <string_view>

namespace twofold {

/// What an argument is to the engine. It decides which specifications suit it.
enum class FormatKind : u8 {
    signed_integer,   ///< d x X b B o, c (the low eight bits as a character)
    unsigned_integer, ///< the same without a sign
    boolean,          ///< s, or as an unsigned integer
    character,        ///< c, or as a signed integer
    text,             ///< s, with precision
    pointer,          ///< p
    address,          ///< 0x and sixteen digits, or as an unsigned integer
    custom,           ///< written by its Formatter; fill, alignment and width only
};

enum class FormatAlign : u8 { none, left, right, center };
enum class FormatSign : u8 { none, minus, plus, space };

/// The largest width or precision; larger ones are refused, or cut if they are arguments.
inline constexpr u32 format_size_max = 1023;
/// The most arguments of one format string.
inline constexpr usize format_arguments_max = 32;

/// A width or precision: absent, a number, or the index of the argument that holds the number.
struct FormatSize {
    enum class Source : u8 { absent, number, argument } source = Source::absent;
    u32 value = 0;
};

/// One replacement field.
struct FormatSpec {
    u32 argument = 0;
    FormatSize width{};
    FormatSize precision{};
    char fill = ' ';
    char type = '\0'; ///< zero: the kind's own
    FormatAlign align = FormatAlign::none;
    FormatSign sign = FormatSign::none;
    bool alternate = false;
    bool zero = false;
};

/// Splits a format string into literal text and replacement fields. O(1) a step beyond the text
/// read.
class FormatScanner {
public:
    enum class Item : u8 { text, field, end, error };

    constexpr explicit FormatScanner(std::string_view format) : m_rest(format) {}

    /// Steps to the next item. After `end` or `error` it must not be called again.
    constexpr Item next() {
        if (m_rest.empty()) {
            return Item::end;
        }
        usize length = 0;
        while (length < m_rest.size() && m_rest[length] != '{' && m_rest[length] != '}') {
            ++length;
        }
        if (length > 0) {
            return take_text(length);
        }
        char const brace = m_rest[0];
        if (m_rest.size() > 1 && m_rest[1] == brace) {
            m_rest.remove_prefix(1);
            return take_text(1);
        }
        if (brace == '}') {
            return fail("unmatched '}' in format string");
        }
        m_rest.remove_prefix(1);
        return read_field() ? Item::field : Item::error;
    }

    constexpr std::string_view text() const { return m_text; }    ///< after `text`
    constexpr FormatSpec const& field() const { return m_field; } ///< after `field`
    constexpr char const* error() const { return m_error; }       ///< after `error`

private:
    enum class Indexing : u8 { undecided, automatic, manual };

    constexpr Item fail(char const* reason) {
        m_error = reason;
        return Item::error;
    }
    constexpr bool refuse(char const* reason) {
        m_error = reason;
        return false;
    }
    constexpr Item take_text(usize length) {
        m_text = slice(m_rest, 0, length);
        m_rest.remove_prefix(length);
        return Item::text;
    }
    constexpr char peek(usize ahead = 0) const {
        return ahead < m_rest.size() ? m_rest[ahead] : '\0';
    }
    constexpr bool accept(char expected) {
        if (m_rest.empty() || m_rest[0] != expected) {
            return false;
        }
        m_rest.remove_prefix(1);
        return true;
    }
    static constexpr bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

    /// A decimal number of at most `limit`.
    constexpr bool read_number(u32& number, u32 limit) {
        number = 0;
        while (is_digit(peek())) {
            number = number * 10 + static_cast<u32>(peek() - '0');
            m_rest.remove_prefix(1);
            if (number > limit) {
                return refuse("a number in the format string is too big");
            }
        }
        return true;
    }

    /// An argument index, up to but excluding what follows it.
    constexpr bool read_index(u32& index) {
        bool const manual = is_digit(peek());
        Indexing const wanted = manual ? Indexing::manual : Indexing::automatic;
        if (m_indexing != Indexing::undecided && m_indexing != wanted) {
            return refuse("automatic and manual argument indexes are mixed");
        }
        m_indexing = wanted;
        if (!manual) {
            index = m_next_argument++;
            return true;
        }
        if (peek() == '0' && is_digit(peek(1))) {
            return refuse("an argument index starts with 0");
        }
        return read_number(index, format_arguments_max);
    }

    constexpr bool read_size(FormatSize& size) {
        if (accept('{')) {
            size.source = FormatSize::Source::argument;
            if (!read_index(size.value)) {
                return false;
            }
            return accept('}') || refuse("a dynamic width or precision lacks its '}'");
        }
        if (is_digit(peek())) {
            size.source = FormatSize::Source::number;
            return read_number(size.value, format_size_max);
        }
        return true;
    }

    static constexpr FormatAlign align_of(char letter) {
        switch (letter) {
        case '<':
            return FormatAlign::left;
        case '>':
            return FormatAlign::right;
        case '^':
            return FormatAlign::center;
        default:
            return FormatAlign::none;
        }
    }

    constexpr bool read_fill_and_align() {
        if (align_of(peek(1)) != FormatAlign::none) {
            m_field.fill = peek();
            if (m_field.fill == '{' || m_field.fill == '\0' ||
                static_cast<u8>(m_field.fill) > 0x7F) {
                return refuse("a fill is one ASCII character other than '{'");
            }
            m_rest.remove_prefix(1);
        }
        m_field.align = align_of(peek());
        if (m_field.align != FormatAlign::none) {
            m_rest.remove_prefix(1);
        }
        return true;
    }

    constexpr bool read_field() {
        m_field = FormatSpec{};
        if (!read_index(m_field.argument)) {
            return false;
        }
        if (accept(':') && !read_spec()) {
            return false;
        }
        return accept('}') || refuse("a replacement field is malformed or lacks its '}'");
    }

    constexpr bool read_spec() {
        if (!read_fill_and_align()) {
            return false;
        }
        if (accept('+')) {
            m_field.sign = FormatSign::plus;
        } else if (accept('-')) {
            m_field.sign = FormatSign::minus;
        } else if (accept(' ')) {
            m_field.sign = FormatSign::space;
        }
        m_field.alternate = accept('#');
        m_field.zero = accept('0');
        if (!read_size(m_field.width)) {
            return false;
        }
        if (accept('.')) {
            if (!read_size(m_field.precision)) {
                return false;
            }
            if (m_field.precision.source == FormatSize::Source::absent) {
                return refuse("a precision is missing after '.'");
            }
        }
        if (!m_rest.empty() && peek() != '}') {
            m_field.type = peek();
            m_rest.remove_prefix(1);
        }
        return true;
    }

    std::string_view m_rest;
    std::string_view m_text{};
    FormatSpec m_field{};
    char const* m_error = nullptr;
    u32 m_next_argument = 0;
    Indexing m_indexing = Indexing::undecided;
};

/// Whether `type` shows an integer in digits.
constexpr bool is_integer_type(char type) {
    for (char const known : {'d', 'x', 'X', 'b', 'B', 'o'}) {
        if (type == known) {
            return true;
        }
    }
    return false;
}

/// Whether an argument of this kind is shown in digits under this type; else it is shown as text.
constexpr bool is_shown_in_digits(FormatKind kind, char type) {
    bool const integer = kind == FormatKind::signed_integer || kind == FormatKind::unsigned_integer;
    return is_integer_type(type) || (integer && type == '\0');
}

/// Why `spec` does not suit an argument of kind `kind`; null if it does. O(1).
constexpr char const* check_format_spec(FormatSpec const& spec, FormatKind kind) {
    bool const text = kind == FormatKind::text;
    bool known = spec.type == '\0';
    switch (kind) {
    case FormatKind::signed_integer:
    case FormatKind::unsigned_integer:
    case FormatKind::character:
        known = known || spec.type == 'c' || is_integer_type(spec.type);
        break;
    case FormatKind::boolean:
        known = known || spec.type == 's' || is_integer_type(spec.type);
        break;
    case FormatKind::address:
        known = known || is_integer_type(spec.type);
        break;
    case FormatKind::text:
        known = known || spec.type == 's';
        break;
    case FormatKind::pointer:
        known = known || spec.type == 'p';
        break;
    case FormatKind::custom:
        break;
    }
    if (!known) {
        return "the type does not suit the argument";
    }
    bool const digits = is_shown_in_digits(kind, spec.type);
    bool const has_sign = kind == FormatKind::signed_integer || kind == FormatKind::character;
    if (spec.sign != FormatSign::none && !(digits && has_sign)) {
        return "a sign needs a signed number";
    }
    if ((spec.alternate || spec.zero) && !digits) {
        return "'#' and '0' need a number";
    }
    if (spec.precision.source != FormatSize::Source::absent && !text) {
        return "a precision needs text";
    }
    return nullptr;
}

/// The verdict on a format string: why it is wrong, or null; and the set of arguments it uses.
struct FormatCheck {
    char const* error = nullptr;
    u32 used_arguments = 0; ///< bit i: argument i
};
static_assert(format_arguments_max <= 32, "used_arguments has a bit for each");

namespace detail {

/// Notes that argument `index` is used; why it cannot be, or null.
constexpr char const* use_argument(FormatCheck& check, u32 index, usize count) {
    if (index >= count) {
        return "the format string names more arguments than there are";
    }
    check.used_arguments |= u32{1} << index;
    return nullptr;
}

constexpr char const*
use_size(FormatCheck& check, FormatSize const& size, std::span<FormatKind const> kinds) {
    if (size.source != FormatSize::Source::argument) {
        return nullptr;
    }
    if (char const* const error = use_argument(check, size.value, kinds.size())) {
        return error;
    }
    FormatKind const kind = kinds[size.value];
    bool const integer = kind == FormatKind::signed_integer || kind == FormatKind::unsigned_integer;
    return integer ? nullptr : "a dynamic width or precision is not an integer";
}

} // namespace detail

/// Checks a format string against the kinds of its arguments. O(length). Any context.
constexpr FormatCheck check_format(std::string_view format, std::span<FormatKind const> kinds) {
    FormatCheck check;
    if (kinds.size() > format_arguments_max) {
        check.error = "there are too many arguments";
        return check;
    }
    FormatScanner scanner(format);
    for (;;) { // bounded: each step consumes at least one character
        FormatScanner::Item const item = scanner.next();
        if (item == FormatScanner::Item::end) {
            return check;
        }
        if (item == FormatScanner::Item::error) {
            check.error = scanner.error();
            return check;
        }
        if (item == FormatScanner::Item::text) {
            continue;
        }
        FormatSpec const& spec = scanner.field();
        check.error = detail::use_argument(check, spec.argument, kinds.size());
        if (check.error == nullptr) {
            check.error = detail::use_size(check, spec.width, kinds);
        }
        if (check.error == nullptr) {
            check.error = detail::use_size(check, spec.precision, kinds);
        }
        if (check.error == nullptr) {
            check.error = check_format_spec(spec, kinds[spec.argument]);
        }
        if (check.error != nullptr) {
            return check;
        }
    }
}

} // namespace twofold
