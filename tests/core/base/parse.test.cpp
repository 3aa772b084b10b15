// Numbers, sizes and command lines, right and wrong (core/base/parse.hpp).
#include "tests/support/test.hpp"

namespace twofold {
namespace {

TEST(ParseUnsigned, Decimal) {
    EXPECT_EQ(parse_unsigned("0").value(), 0u);
    EXPECT_EQ(parse_unsigned("0042").value(), 42u);
    EXPECT_EQ(parse_unsigned("18446744073709551615").value(), UINT64_MAX);
}

TEST(ParseUnsigned, Hexadecimal) {
    EXPECT_EQ(parse_unsigned("0x0").value(), 0u);
    EXPECT_EQ(parse_unsigned("0XdeadBEEF").value(), 0xdeadbeefu);
    EXPECT_EQ(parse_unsigned("0xffffffffffffffff").value(), UINT64_MAX);
}

TEST(ParseUnsigned, RefusesWhatIsNoNumber) {
    for (std::string_view const text :
         {"", " ", "x", "0x", "0xg", "-1", "+1", "1 ", " 1", "1.5", "12a", "ff", "1'000", "@",
          "`"}) {
        ASSERT_FALSE(parse_unsigned(text).has_value());
        EXPECT_EQ(parse_unsigned(text).error(), Error::invalid_argument);
    }
}

TEST(ParseUnsigned, RefusesWhatIsTooLarge) {
    for (std::string_view const text :
         {"18446744073709551616", "18446744073709551625", "99999999999999999999999999",
          "0x10000000000000000", "0xfffffffffffffffff"}) {
        ASSERT_FALSE(parse_unsigned(text).has_value());
        EXPECT_EQ(parse_unsigned(text).error(), Error::out_of_range);
    }
    EXPECT_EQ(parse_unsigned("18446744073709551616x").error(), Error::invalid_argument);
}

TEST(ParseSize, Units) {
    EXPECT_EQ(parse_size("4096").value(), Bytes{4096});
    EXPECT_EQ(parse_size("64M").value(), Bytes{64ull << 20});
    EXPECT_EQ(parse_size("1GiB").value(), Bytes{1ull << 30});
    EXPECT_EQ(parse_size("3k").value(), Bytes{3072});
    EXPECT_EQ(parse_size("2TiB").value(), Bytes{2ull << 40});
    EXPECT_EQ(parse_size("0x10K").value(), Bytes{16384});
    EXPECT_EQ(parse_size("0").value(), Bytes{0});
    EXPECT_EQ(parse_size("16777215T").value(), Bytes{16777215ull << 40});
}

TEST(ParseSize, RefusesOtherUnits) {
    for (std::string_view const text :
         {"", "M", "iB", "MiB", "4iB", "4B", "4KB", "4Ki", "4 M", "4MM", "4P", "4kib", "-4M",
          "4.5M", "M4", "4GiBB", "0xiB"}) {
        ASSERT_FALSE(parse_size(text).has_value());
        EXPECT_EQ(parse_size(text).error(), Error::invalid_argument);
    }
}

TEST(ParseSize, RefusesWhatIsTooLarge) {
    EXPECT_EQ(parse_size("16777216T").error(), Error::out_of_range);
    EXPECT_EQ(parse_size("18446744073709551615K").error(), Error::out_of_range);
    EXPECT_EQ(parse_size("18446744073709551616").error(), Error::out_of_range);
}

/// Tokens written one after another: words in brackets, separators as they are.
struct Tokens {
    char storage[256];
    TextBuffer text{storage};

    std::string_view of(std::string_view line, std::string_view separators) {
        char scratch[64];
        Tokenizer tokenizer(line, scratch, separators);
        text.clear();
        for (usize i = 0; i <= line.size() + 1; ++i) {
            Result<Token> const token = tokenizer.next();
            if (!token) {
                text.append("!");
                text.append(error_name(token.error()));
                return text.view();
            }
            if (token.value().kind == Token::Kind::end) {
                EXPECT_TRUE(tokenizer.next().value().kind == Token::Kind::end);
                return text.view();
            }
            bool const word = token.value().kind == Token::Kind::word;
            format_to(
                text.output(), "{}{}{}", word ? "[" : "", token.value().text, word ? "]" : "");
        }
        text.append("!endless");
        return text.view();
    }
};

TEST(Tokenizer, Words) {
    Tokens tokens;
    EXPECT_EQ(tokens.of("", ";"), "");
    EXPECT_EQ(tokens.of(" \t ", ";"), "");
    EXPECT_EQ(tokens.of("help", ";"), "[help]");
    EXPECT_EQ(tokens.of("  log \t-n 5 ", ";"), "[log][-n][5]");
}

TEST(Tokenizer, Separators) {
    Tokens tokens;
    EXPECT_EQ(tokens.of("a;b ; c;;", ";"), "[a];[b];[c];;");
    EXPECT_EQ(tokens.of("a;b\nc", ";\n"), "[a];[b]\n[c]");
    EXPECT_EQ(tokens.of("a;b", ""), "[a;b]");
}

TEST(Tokenizer, Quotes) {
    Tokens tokens;
    EXPECT_EQ(tokens.of("command='a; b' json=on", ";"), "[command=a; b][json=on]");
    EXPECT_EQ(tokens.of("'it''s' \"a 'b' c\" '\"'", ";"), "[its][a 'b' c][\"]");
    EXPECT_EQ(tokens.of("'' a\"\"", ";"), "[][a]");
}

TEST(Tokenizer, Escapes) {
    Tokens tokens;
    EXPECT_EQ(tokens.of("a\\ b \\; '\\'' \"\\\\\\\"\" \\'", ";"), "[a b][;]['][\\\"][']");
}

TEST(Tokenizer, Unfinished) {
    Tokens tokens;
    EXPECT_EQ(tokens.of("a 'b", ";"), "[a]!truncated");
    EXPECT_EQ(tokens.of("\"", ";"), "!truncated");
    EXPECT_EQ(tokens.of("a\\", ";"), "!truncated");
    EXPECT_EQ(tokens.of("'a\\'", ";"), "!truncated");
}

TEST(Tokenizer, ScratchTooSmall) {
    char scratch[3];
    Tokenizer tokenizer("ab cd", scratch, ";");
    EXPECT_EQ(tokenizer.next().value().text, "ab");
    EXPECT_EQ(tokenizer.next().error(), Error::no_space);
}

TEST(Tokenizer, WordsStayValid) {
    char scratch[4];
    Tokenizer tokenizer("ab cd", scratch, ";");
    std::string_view const first = tokenizer.next().value().text;
    std::string_view const second = tokenizer.next().value().text;
    EXPECT_EQ(first, "ab");
    EXPECT_EQ(second, "cd");
}

} // namespace
} // namespace twofold
