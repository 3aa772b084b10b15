// Reading what people write: numbers, sizes, and command lines with quotes. Pure; any context.
#pragma once

#include "core/base/result.hpp"
#include "core/base/units.hpp"

#include <span>
#include <string_view>

namespace twofold {

/// A decimal number, or a hexadecimal one after 0x; nothing else around it. Error::invalid_argument
/// for other text, Error::out_of_range above 2^64 - 1. O(n).
Result<u64> parse_unsigned(std::string_view text);

/// A number of bytes: a number as above, then optionally K, M, G or T (either case; powers of
/// 1024), optionally followed by "iB": 4096, 64M, 1GiB. Errors as above. O(n).
Result<Bytes> parse_size(std::string_view text);

/// One piece of a command line.
struct Token {
    enum class Kind : u8 {
        word,      ///< `text` without its quotes and escapes; may be empty if it was quoted
        separator, ///< one of the separators; `text` is that character
        end,
    } kind;
    std::string_view text;
};

/// Splits a command line into words, as a shell does in its simplest form.
///
/// Words are divided by blanks, tabs and the separators. A backslash takes the next character as it
/// is, everywhere. Between two ' or two ", blanks, separators and the other quote are ordinary;
/// quotes may start and end inside a word (command='a; b' is one word).
class Tokenizer {
public:
    /// Words are written to `scratch` one after another, so all stay valid as long as it does; one
    /// as long as `text` always suffices.
    constexpr Tokenizer(std::string_view text, std::span<char> scratch, std::string_view separators)
        : m_rest(text), m_scratch(scratch), m_separators(separators) {}

    /// The next token; `end` for ever after the last. Error::truncated if a quote or an escape is
    /// not finished, Error::no_space if `scratch` is full. O(length of the token).
    Result<Token> next();

private:
    Result<void> take_word();
    Result<void> put(char letter);
    bool is_separator(char letter) const;

    std::string_view m_rest;
    std::span<char> m_scratch;
    std::string_view m_separators;
    usize m_used = 0;
};

} // namespace twofold
