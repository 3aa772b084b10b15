// The formatting engine inside a kernel: every kind of argument, and buffers that are too small.
// The comparison with fmt over random formats is tests/core/base/format_oracle.host.cpp.
#include "tests/support/test.hpp"

namespace twofold {

/// A type that writes itself.
struct Interval {
    u32 first;
    u32 last;
};
template<>
struct Formatter<Interval> {
    static void format(Interval const& interval, Output const& out) {
        format_to(out, "[{}, {})", interval.first, interval.last);
    }
};

namespace {

/// A formatted line, to be compared.
struct Line {
    char storage[2048];
    TextBuffer buffer{storage};

    template<class... Args>
    std::string_view
    operator()(FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
        buffer.clear();
        format_to<Args...>(buffer.output(), format, args...);
        return buffer.view();
    }
};

TEST(Format, LiteralTextAndBraces) {
    Line line;
    EXPECT_EQ(line(""), "");
    EXPECT_EQ(line("plain"), "plain");
    EXPECT_EQ(line("{{}} {{{}}}", 7), "{} {7}");
}

TEST(Format, IndexesAutomaticAndManual) {
    Line line;
    EXPECT_EQ(line("{} {} {}", 1, 2, 3), "1 2 3");
    EXPECT_EQ(line("{2} {0} {1} {0}", 1, 2, 3), "3 1 2 1");
}

TEST(Format, IntegersAtTheirLimits) {
    Line line;
    EXPECT_EQ(line("{}", INT64_MIN), "-9223372036854775808");
    EXPECT_EQ(line("{}", INT64_MAX), "9223372036854775807");
    EXPECT_EQ(line("{}", UINT64_MAX), "18446744073709551615");
    EXPECT_EQ(line("{:b}", UINT64_MAX).size(), 64u);
    EXPECT_EQ(line("{:#x}", INT64_MIN), "-0x8000000000000000");
    EXPECT_EQ(line("{} {}", i8{-128}, u8{255}), "-128 255");
    EXPECT_EQ(line("{} {}", i16{-1}, u16{65535}), "-1 65535");
    EXPECT_EQ(line("{}", 0), "0");
}

TEST(Format, IntegerPresentations) {
    Line line;
    EXPECT_EQ(line("{:x} {:X} {:o} {:b} {:B}", 255, 255, 8, 5, 5), "ff FF 10 101 101");
    EXPECT_EQ(
        line("{:#x} {:#X} {:#o} {:#b} {:#B}", 255, 255, 8, 5, 5), "0xff 0XFF 010 0b101 0B101");
    EXPECT_EQ(line("{:#o} {:#x}", 0, 0), "0 0x0");
    EXPECT_EQ(line("{:c}{:c}", 72, 105u), "Hi");
    EXPECT_EQ(line("{:+} {: } {:-} {:+}", 1, 1, 1, -1), "+1  1 1 -1");
}

TEST(Format, WidthFillAndZeros) {
    Line line;
    EXPECT_EQ(line("{:5}|{:<5}|{:^5}|{:>5}", 42, 42, 42, 42), "   42|42   | 42  |   42");
    EXPECT_EQ(line("{:*^7}|{:.<4}|{:}>3}", 42, 1, 2), "**42***|1...|}}2");
    EXPECT_EQ(line("{:06}|{:#06x}|{:+06}", -42, 42, 42), "-00042|0x002a|+00042");
    EXPECT_EQ(line("{:<06}", 42), "42    ");
    EXPECT_EQ(line("{:{}}|{:{}}", 7, 3, 7, 0), "  7|7");
    EXPECT_EQ(line("{1:{0}}", 4, "ab"), "ab  ");
    EXPECT_EQ(line("{:1023}", 1).size(), 1023u);
}

TEST(Format, DynamicSizesAreBroughtIntoRange) {
    Line line;
    EXPECT_EQ(line("{:{}}", 7, -5), "7");
    EXPECT_EQ(line("{:{}}", 7, UINT64_MAX).size(), format_size_max);
    EXPECT_EQ(line("{:.{}}", "abc", i64{-1}), "");
}

TEST(Format, Text) {
    Line line;
    char const array[] = "array";
    char const* const none = nullptr;
    EXPECT_EQ(line("{} {:s} {}", array, std::string_view("view"), none), "array view (null)");
    EXPECT_EQ(line("{:7}|{:>7}|{:-^7}", "abc", "abc", "abc"), "abc    |    abc|--abc--");
    EXPECT_EQ(line("{:.2}|{:.0}|{:.9}|{:5.2}|", "abc", "abc", "abc", "abc"), "ab||abc|ab   |");
    EXPECT_EQ(line("{:.{}}", "abcdef", 4), "abcd");
    EXPECT_EQ(line("{:.2}|{:4}|", "\u00e9\u00e8\u00ea", "\u00e9"), "\u00e9\u00e8|\u00e9   |");
    EXPECT_EQ(line("{}", std::string_view("a\0b", 3)).size(), 3u);
}

TEST(Format, BooleansCharactersPointers) {
    Line line;
    EXPECT_EQ(line("{} {} {:d} {:#x}", true, false, true, true), "true false 1 0x1");
    EXPECT_EQ(line("{:>6}|{:6}|", true, false), "  true|false |");
    EXPECT_EQ(line("{}{:c} {:d} {:3}|{:>3}", 'a', 'b', 'c', 'd', 'e'), "ab 99 d  |  e");
    EXPECT_EQ(line("{:d}", '\xff'), "-1");
    EXPECT_EQ(line("{} {:p}", nullptr, static_cast<void const*>(nullptr)), "0x0 0x0");
    int object = 0;
    EXPECT_EQ(line("{}", static_cast<void*>(&object)), line("{:#x}", std::bit_cast<u64>(&object)));
}

TEST(Format, StrongTypes) {
    Line line;
    EXPECT_EQ(line("{}", PhysAddr{0x1000}), "0x0000000000001000");
    EXPECT_EQ(line("{}", VirtAddr{0xffff'8000'0000'0000}), "0xffff800000000000");
    EXPECT_EQ(line("{:#x} {:d}", PhysAddr{0x1000}, PhysAddr{10}), "0x1000 10");
    EXPECT_EQ(
        line("{:>20}|{:<20}|", PhysAddr{1}, PhysAddr{1}),
        "  0x0000000000000001|0x0000000000000001  |");
    EXPECT_EQ(line("{} {:x}", page_size, page_size), "4096 1000");
    EXPECT_EQ(line("{} {}", CpuId{3}, Nanos{-5}), "3 -5");
    EXPECT_EQ(line("{:>15}", Error::not_found), "      not_found");
    EXPECT_EQ(line("{:02x}", std::byte{0xa}), "0a");
}

TEST(Format, TypesThatWriteThemselves) {
    Line line;
    EXPECT_EQ(line("{}", Interval{1, 20}), "[1, 20)");
    EXPECT_EQ(
        line("{:9}|{:>9}|{:*^9}", Interval{1, 20}, Interval{1, 20}, Interval{1, 20}),
        "[1, 20)  |  [1, 20)|*[1, 20)*");
}

TEST(Format, BufferTooSmall) {
    char storage[5];
    FormattedText const whole = format_to(std::span<char>(storage), "{}", 12345);
    EXPECT_EQ(whole.text, "12345");
    EXPECT_FALSE(whole.truncated);
    FormattedText const cut = format_to(std::span<char>(storage), "{}!", 12345);
    EXPECT_EQ(cut.text, "12345");
    EXPECT_TRUE(cut.truncated);
    FormattedText const none = format_to(std::span<char>{}, "{}", 1);
    EXPECT_EQ(none.text, "");
    EXPECT_TRUE(none.truncated);
    // No half code point, and nothing after a cut even if it would fit.
    FormattedText const letters = format_to(std::span<char>(storage), "abcd{}{}", "\u00e9", "x");
    EXPECT_EQ(letters.text, "abcd");
    EXPECT_TRUE(letters.truncated);
}

TEST(Format, CheckerNamesTheReason) {
    constexpr FormatKind number[] = {FormatKind::signed_integer};
    constexpr FormatKind unsigned_number[] = {FormatKind::unsigned_integer};
    constexpr FormatKind text[] = {FormatKind::text};
    static_assert(check_format("{}", number).error == nullptr);
    static_assert(check_format("{}", {}).error != nullptr);
    for (std::string_view const wrong :
         {"{",     "}",       "{:",        "{0",    "{:5",           "{x}",
          "{-1}",  "{00}",    "{01}",      "{1}",   "{99999999999}", "{0}{}",
          "{}{0}", "{:z}",    "{:s}",      "{:.3}", "{:{0}",         "{:1024}",
          "{:.}",  "{:{{<5}", "{:dd}",     "{:L}",  "{:#c}",         "{:0c}",
          "{:+c}", "{ }",     "{:\xc3<5}", "{:5:}", "{:{:}}"}) {
        EXPECT_TRUE(check_format(wrong, number).error != nullptr);
    }
    EXPECT_TRUE(check_format("{:+}", unsigned_number).error != nullptr);
    for (std::string_view const wrong :
         {"{:d}", "{:+}", "{:#}", "{:05}", "{:{}}", "{:.{}}", "{:.x}"}) {
        EXPECT_TRUE(check_format(wrong, text).error != nullptr);
    }
    FormatKind const many[format_arguments_max + 1] = {};
    EXPECT_TRUE(check_format("", many).error != nullptr);
    EXPECT_EQ(check_format("{0} {0}", number).used_arguments, 1u);
}

} // namespace
} // namespace twofold
