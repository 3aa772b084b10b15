// Numbers, sizes and command lines (parse.hpp).
#include "core/base/parse.hpp"

#include "core/base/text.hpp"

namespace twofold {

namespace {

constexpr unsigned not_a_digit = 255;

unsigned digit_value(char letter) {
    if (letter >= '0' && letter <= '9') {
        return static_cast<unsigned>(letter - '0');
    }
    char const lower = static_cast<char>(letter | 0x20);
    return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a') + 10 : not_a_digit;
}

/// The power of two that a unit stands for, or 0 if there is no such unit.
unsigned unit_shift(char unit) {
    switch (unit | 0x20) {
    case 'k':
        return 10;
    case 'm':
        return 20;
    case 'g':
        return 30;
    case 't':
        return 40;
    default:
        return 0;
    }
}

bool is_blank(char letter) {
    return letter == ' ' || letter == '\t';
}

} // namespace

Result<u64> parse_unsigned(std::string_view text) {
    bool const hexadecimal =
        text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (hexadecimal) {
        text.remove_prefix(2);
    }
    if (text.empty()) {
        return Error::invalid_argument;
    }
    u64 const base = hexadecimal ? 16 : 10;
    u64 number = 0;
    bool overflow = false; // malformed text is reported first, however long
    for (char const letter : text) {
        u64 const digit = digit_value(letter);
        if (digit >= base) {
            return Error::invalid_argument;
        }
        overflow = overflow || number > (UINT64_MAX - digit) / base;
        number = number * base + digit;
    }
    if (overflow) {
        return Error::out_of_range;
    }
    return number;
}

Result<Bytes> parse_size(std::string_view text) {
    usize const length = text.size();
    if (length > 3 && text[length - 2] == 'i' && text[length - 1] == 'B') {
        text.remove_suffix(2);
        if (unit_shift(text.back()) == 0) {
            return Error::invalid_argument;
        }
    }
    unsigned shift = 0;
    if (text.size() > 1 && digit_value(text.back()) == not_a_digit) {
        shift = unit_shift(text.back());
        if (shift == 0) {
            return Error::invalid_argument;
        }
        text.remove_suffix(1);
    }
    u64 const number = TRY(parse_unsigned(text));
    if (number > UINT64_MAX >> shift) {
        return Error::out_of_range;
    }
    return Bytes{number << shift};
}

bool Tokenizer::is_separator(char letter) const {
    for (char const separator : m_separators) {
        if (letter == separator) {
            return true;
        }
    }
    return false;
}

Result<void> Tokenizer::put(char letter) {
    if (m_used >= m_scratch.size()) {
        return Error::no_space;
    }
    m_scratch[m_used++] = letter;
    return {};
}

Result<void> Tokenizer::take_word() {
    char quote = '\0';
    while (!m_rest.empty()) {
        char letter = m_rest.front();
        if (quote == '\0' && (is_blank(letter) || is_separator(letter))) {
            return {};
        }
        m_rest.remove_prefix(1);
        if (letter == '\\') {
            if (m_rest.empty()) {
                return Error::truncated;
            }
            letter = m_rest.front();
            m_rest.remove_prefix(1);
        } else if (letter == quote) {
            quote = '\0';
            continue;
        } else if (quote == '\0' && (letter == '\'' || letter == '"')) {
            quote = letter;
            continue;
        }
        if (Result<void> const stored = put(letter); !stored) {
            return stored;
        }
    }
    if (quote != '\0') {
        return Error::truncated;
    }
    return {};
}

Result<Token> Tokenizer::next() {
    while (!m_rest.empty() && is_blank(m_rest.front())) {
        m_rest.remove_prefix(1);
    }
    if (m_rest.empty()) {
        return Token{Token::Kind::end, {}};
    }
    if (is_separator(m_rest.front())) {
        std::string_view const separator = slice(m_rest, 0, 1);
        m_rest.remove_prefix(1);
        return Token{Token::Kind::separator, separator};
    }
    usize const start = m_used;
    if (Result<void> const word = take_word(); !word) {
        return word.error();
    }
    CHECK(start <= m_used);
    CHECK(m_used <= m_scratch.size());
    return Token{Token::Kind::word, slice({m_scratch.data(), m_used}, start, m_used - start)};
}

} // namespace twofold
