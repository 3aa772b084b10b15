// The formatting engine (format.hpp). It re-reads the string that the compiler has checked and
// trusts it; the checks below only guard against callers that bypass FormatString.
#include "core/base/format.hpp"

#include "core/base/check.hpp"

#include <algorithm>

namespace twofold {

using namespace std::string_view_literals; // lengths known while compiling

namespace {

/// What one field shows: fill, prefix (sign and base), zeros, body, fill.
struct Shape {
    std::string_view prefix{};
    std::string_view body{};
    usize zeros = 0;
    usize columns = 0; ///< of prefix, zeros and body together
};

/// A field whose dynamic width and precision have been looked up.
struct Field {
    FormatSpec spec;
    u32 width = 0;
    u32 precision = 0;
    bool has_precision = false;
};

constexpr usize digits_max = 64; // a binary u64

void write_repeated(Output const& out, char letter, usize count) {
    constexpr usize chunk = 16;
    char letters[chunk];
    std::fill_n(letters, chunk, letter);
    while (count > 0) { // bounded by format_size_max
        usize const length = std::min(count, chunk);
        out.write({letters, length});
        count -= length;
    }
}

/// The columns of fill left of a field; the rest of `padding` goes right.
usize padding_before(usize padding, FormatAlign align) {
    switch (align) {
    case FormatAlign::right:
        return padding;
    case FormatAlign::center:
        return padding / 2;
    default:
        return 0;
    }
}

template<class WriteBody>
void write_padded(
    Output const& out, Field const& field, usize columns, FormatAlign otherwise, WriteBody body) {
    CHECK(field.width <= format_size_max);
    FormatAlign const align = field.spec.align == FormatAlign::none ? otherwise : field.spec.align;
    usize const padding = field.width > columns ? field.width - columns : 0;
    usize const before = padding_before(padding, align);
    CHECK(before <= padding);
    write_repeated(out, field.spec.fill, before);
    body();
    write_repeated(out, field.spec.fill, padding - before);
}

void write_shape(Output const& out, Field const& field, Shape const& shape, FormatAlign otherwise) {
    write_padded(out, field, shape.columns, otherwise, [&] {
        out.write(shape.prefix);
        write_repeated(out, '0', shape.zeros);
        out.write(shape.body);
    });
}

void write_text(Output const& out, Field const& field, std::string_view text) {
    if (field.has_precision) {
        text = code_point_prefix(text, field.precision);
    }
    Shape const shape{.body = text, .columns = code_point_count(text)};
    write_shape(out, field, shape, FormatAlign::left);
}

/// Writes the digits of `number` to the end of `digits` and returns them.
std::string_view digits_of(u64 number, char type, std::span<char, digits_max> digits) {
    unsigned const shift = type == 'b' || type == 'B' ? 1 : type == 'o' ? 3 : 4;
    char const* const alphabet = type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    usize first = digits_max;
    do {
        CHECK(first > 0);
        if (type == 'd') {
            digits[--first] = alphabet[number % 10];
            number /= 10;
        } else {
            digits[--first] = alphabet[number & ((1U << shift) - 1)];
            number >>= shift;
        }
    } while (number != 0);
    return {&digits[first], digits_max - first};
}

void write_integer(Output const& out, Field const& field, u64 magnitude, bool negative) {
    char const type = field.spec.type == '\0' ? 'd' : field.spec.type;
    char digits[digits_max];
    char prefix[3];
    usize prefix_length = 0;
    if (negative) {
        prefix[prefix_length++] = '-';
    } else if (field.spec.sign == FormatSign::plus || field.spec.sign == FormatSign::space) {
        prefix[prefix_length++] = field.spec.sign == FormatSign::plus ? '+' : ' ';
    }
    if (field.spec.alternate && type != 'd' && (type != 'o' || magnitude != 0)) {
        prefix[prefix_length++] = '0';
        if (type != 'o') {
            prefix[prefix_length++] = type;
        }
    }
    Shape shape{.prefix = {prefix, prefix_length}, .body = digits_of(magnitude, type, digits)};
    shape.columns = shape.prefix.size() + shape.body.size();
    if (field.spec.zero && field.spec.align == FormatAlign::none && field.width > shape.columns) {
        shape.zeros = field.width - shape.columns;
        shape.columns = field.width;
    }
    write_shape(out, field, shape, FormatAlign::right);
}

void write_address(Output const& out, Field const& field, u64 address, usize digits_min) {
    char digits[digits_max];
    Shape shape{.prefix = "0x"sv, .body = digits_of(address, 'x', digits)};
    shape.zeros = shape.body.size() < digits_min ? digits_min - shape.body.size() : 0;
    shape.columns = shape.prefix.size() + shape.zeros + shape.body.size();
    write_shape(out, field, shape, FormatAlign::right);
}

void write_custom(Output const& out, Field const& field, FormatArgument const& argument) {
    usize columns = 0;
    if (field.width != 0) { // written twice: first only to be measured
        Output const measure{&columns, [](void* counter, std::string_view text) {
                                 *static_cast<usize*>(counter) += code_point_count(text);
                             }};
        argument.format(argument.object, measure);
    }
    write_padded(
        out, field, columns, FormatAlign::left, [&] { argument.format(argument.object, out); });
}

u32 size_of(FormatSize const& size, std::span<FormatArgument const> arguments) {
    if (size.source != FormatSize::Source::argument) {
        return size.value;
    }
    CHECK(size.value < arguments.size());
    FormatArgument const& argument = arguments[size.value];
    bool const negative = argument.kind == FormatKind::signed_integer && argument.bits >> 63 != 0;
    return negative ? 0 : static_cast<u32>(std::min<u64>(argument.bits, format_size_max));
}

void write_field(
    Output const& out, FormatSpec const& spec, std::span<FormatArgument const> arguments) {
    CHECK(spec.argument < arguments.size());
    FormatArgument const& argument = arguments[spec.argument];
    CHECK(check_format_spec(spec, argument.kind) == nullptr);
    Field const field{
        .spec = spec,
        .width = size_of(spec.width, arguments),
        .precision = size_of(spec.precision, arguments),
        .has_precision = spec.precision.source != FormatSize::Source::absent};

    if (is_shown_in_digits(argument.kind, spec.type)) {
        bool const has_sign =
            argument.kind == FormatKind::signed_integer || argument.kind == FormatKind::character;
        bool const negative = has_sign && argument.bits >> 63 != 0;
        return write_integer(out, field, negative ? 0 - argument.bits : argument.bits, negative);
    }
    char const letter = static_cast<char>(argument.bits);
    switch (argument.kind) {
    case FormatKind::signed_integer:
    case FormatKind::unsigned_integer:
    case FormatKind::character:
        return write_shape(out, field, {.body = {&letter, 1}, .columns = 1}, FormatAlign::left);
    case FormatKind::boolean:
        return write_text(out, field, argument.bits != 0 ? "true"sv : "false"sv);
    case FormatKind::text:
        return write_text(out, field, {static_cast<char const*>(argument.object), argument.bits});
    case FormatKind::pointer:
        return write_address(out, field, argument.bits, 1);
    case FormatKind::address:
        return write_address(out, field, argument.bits, 16);
    case FormatKind::custom:
        return write_custom(out, field, argument);
    }
}

} // namespace

void format_erased(
    Output const& out, std::string_view format, std::span<FormatArgument const> arguments) {
    FormatScanner scanner(format);
    for (;;) { // bounded: each step consumes at least one character
        switch (scanner.next()) {
        case FormatScanner::Item::text:
            out.write(scanner.text());
            break;
        case FormatScanner::Item::field:
            write_field(out, scanner.field(), arguments);
            break;
        case FormatScanner::Item::error:
            CHECK(scanner.error() == nullptr);
            return;
        case FormatScanner::Item::end:
            return;
        }
    }
}

void TextBuffer::append(std::string_view text) {
    if (m_truncated) {
        return;
    }
    usize length = std::min(text.size(), m_storage.size() - m_length);
    if (length < text.size()) {
        m_truncated = true;
        while (length > 0 && !starts_code_point(text[length])) {
            --length;
        }
    }
    for (usize i = 0; i < length; ++i) {
        m_storage[m_length + i] = text[i];
    }
    m_length += length;
    CHECK(m_length <= m_storage.size());
}

} // namespace twofold
