// Screens that known input leaves: a table of bytes and of what is to be seen then. Each entry is
// also written in two pieces, split at every byte.
#include "tests/core/text/screens.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using namespace twofold::text;
using namespace twofold::text::testing;

struct Golden {
    char const* name;
    std::string_view input;
    std::vector<std::string> rows;
    Cursor cursor;
};

constexpr ScreenSize golden_size{8, 4};

std::vector<Golden> const goldens = {
    // Text and C0.
    {"text", "abc", {"abc"}, {0, 3}},
    {"carriage return", "abc\rX", {"Xbc"}, {0, 1}},
    {"line feeds", "a\nb\vc\fd", {"a", " b", "  c", "   d"}, {3, 4}},
    {"backspace", "abc\b\bX", {"aXc"}, {0, 2}},
    {"backspace stops", "a\b\b\bX", {"X"}, {0, 1}},
    {"tab", "\tx\ty", {"       y"}, {0, 7, true}},
    {"other controls",
     {"a\0\x01\x0E\x7F\x1A"
      "b",
      7},
     {"ab"},
     {0, 2}},
    {"C1 in UTF-8",
     "a\xC2\x9B"
     "1mb",
     {"a1mb"},
     {0, 4}},
    {"broken UTF-8", "a\xE2\x82X\xFF", {"a\uFFFDX\uFFFD"}, {0, 4}},
    {"broken by a control", "\xE2\x82\nX", {"\uFFFD", " X"}, {1, 2}},
    {"broken by an escape", "\xF0\x9F\x1B[1mX", {"\uFFFDX"}, {0, 2}},
    // The last column.
    {"deferred wrap", "12345678", {"12345678"}, {0, 7, true}},
    {"wrap", "123456789", {"12345678", "9"}, {1, 1}},
    {"return takes the wrap back", "12345678\rX", {"X2345678"}, {0, 1}},
    {"backspace at the wrap", "12345678\bX", {"123456X8"}, {0, 7}},
    {"tab at the wrap", "12345678\tX", {"1234567X"}, {0, 7, true}},
    {"line feed at the wrap", "12345678\nX", {"12345678", "       X"}, {1, 7, true}},
    {"rendition at the wrap", "12345678\x1B[1mX", {"12345678", "X"}, {1, 1}},
    {"erase at the wrap", "12345678\x1B[KX", {"1234567X"}, {0, 7, true}},
    {"no wrap", "\x1B[?7l123456789A\x1B[?7h", {"1234567A"}, {0, 7, true}},
    {"wrap scrolls", "\x1B[4H1234567890", {"", "", "12345678", "90"}, {3, 2}},
    // Wide characters and marks.
    {"wide", "\u4E00b", {"\u4E00b"}, {0, 3}},
    {"wide wraps early", "1234567\u4E00", {"1234567", "\u4E00"}, {1, 2}},
    {"wide without wrap", "\x1B[?7l1234567\u4E00", {"123456\u4E00"}, {0, 7, true}},
    {"left half goes", "\u4E00\u4E01\rX", {"X \u4E01"}, {0, 1}},
    {"right half goes", "\u4E00\u4E01\x1B[2GX", {" X\u4E01"}, {0, 2}},
    {"run over halves", "\u4E00\u4E01\u4E02\x1B[2Gabc", {" abc\u4E02"}, {0, 4}},
    {"erase a half", "\u4E00\u4E01\x1B[3G\x1B[X", {"\u4E00"}, {0, 2}},
    {"insert in a half", "\u4E00b\x1B[2G\x1B[@", {"   b"}, {0, 1}},
    {"insert pushes half out", "123456\u4E00\r\x1B[@", {" 123456"}, {0, 0}},
    {"delete a half", "\u4E00b\x1B[1G\x1B[P", {" b"}, {0, 0}},
    {"mark", "e\u0301x", {"e\u0301x"}, {0, 2}},
    {"mark on wide", "\u4E00\u0301", {"\u4E00\u0301"}, {0, 2}},
    {"mark at the wrap", "12345678\u0301", {"12345678\u0301"}, {0, 7, true}},
    {"mark on nothing", "\u0301\n\u0301", {}, {1, 0}},
    {"a third mark", "e\u0301\u0302\u0303", {"e\u0301\u0302"}, {0, 1}},
    {"invisible characters", "a\u200Bb\uFEFF", {"ab"}, {0, 2}},
    // Motion.
    {"CUP", "\x1B[2;3HX\x1B[HY\x1B[;4fZ", {"Y  Z", "  X"}, {0, 4}},
    {"CUP is clamped", "\x1B[99;99HX", {"", "", "", "       X"}, {3, 7, true}},
    {"CUU CUD CUF CUB", "\x1B[2B\x1B[3CX\x1B[A\x1B[2DY", {"", "  Y", "   X"}, {1, 3}},
    {"motions are clamped",
     "\x1B[99A\x1B[99DX\x1B[99B\x1B[99CY",
     {"X", "", "", "       Y"},
     {3, 7, true}},
    {"CNL CPL", "ab\x1B[2EX\x1B[FY", {"ab", "Y", "X"}, {1, 1}},
    {"CHA HPA HPR VPA VPR",
     "\x1B[3GX\x1B[5`Y\x1B[1aZ\x1B[3dU\x1B[1eV",
     {"  X Y Z", "", "       U", "       V"},
     {3, 7, true}},
    {"CBT", "1234567\x1B[ZX", {"X234567"}, {0, 1}},
    {"HTS TBC", "\x1B[3G\x1BH\x1B[6G\x1BH\x1B[3G\x1B[g\r\tX", {"     X"}, {0, 6}},
    {"TBC of all", "\x1B[3G\x1BH\x1B[3g\r\tX", {"       X"}, {0, 7, true}},
    {"DECSC DECRC",
     "\x1B[2;2H\x1B"
     "7\x1B[4;4H\x1B"
     "8X",
     {"", " X"},
     {1, 2}},
    {"DECSC keeps the wrap",
     "12345678\x1B"
     "7\x1B[H\x1B"
     "8X",
     {"12345678", "X"},
     {1, 1}},
    {"save and restore as ANSI.SYS", "ab\x1B[s\x1B[HX\x1B[uY", {"XbY"}, {0, 3}},
    {"IND NEL",
     "a\x1B"
     "Db\x1B"
     "Ec",
     {"a", " b", "c"},
     {2, 1}},
    {"RI", "a\x1BMb", {" b", "a"}, {0, 2}},
    // Editing.
    {"EL", "12345\x1B[3G\x1B[KX", {"12X"}, {0, 3}},
    {"EL 1", "12345\x1B[3G\x1B[1K", {"   45"}, {0, 2}},
    {"EL 2", "12345\x1B[3G\x1B[2K", {}, {0, 2}},
    {"ED", "aaa\nbbb\nccc\x1B[2;2H\x1B[J", {"aaa"}, {1, 1}},
    {"ED 1", "aaa\r\nbbb\r\nccc\x1B[2;2H\x1B[1J", {"", "  b", "ccc"}, {1, 1}},
    {"ED 2", "aaa\nbbb\x1B[2J", {}, {1, 6}},
    {"ECH", "12345\x1B[2G\x1B[2X", {"1  45"}, {0, 1}},
    {"ECH of more", "12345\x1B[2G\x1B[99X", {"1"}, {0, 1}},
    {"ICH", "12345678\x1B[3G\x1B[2@", {"12  3456"}, {0, 2}},
    {"DCH", "12345678\x1B[3G\x1B[2P", {"125678"}, {0, 2}},
    {"IL", "a\r\nb\r\nc\x1B[2H\x1B[L", {"a", "", "b", "c"}, {1, 0}},
    {"DL", "a\r\nb\r\nc\x1B[2H\x1B[M", {"a", "c"}, {1, 0}},
    {"IRM", "abc\r\x1B[4hXY\x1B[4lZ", {"XYZbc"}, {0, 3}},
    {"LNM", "\x1B[20hab\nc\x1B[20l\nd", {"ab", "c", " d"}, {2, 2}},
    {"DECALN", "\x1B[2;3r\x1B#8", {"EEEEEEEE", "EEEEEEEE", "EEEEEEEE", "EEEEEEEE"}, {0, 0}},
    // The scroll region.
    {"line feeds scroll", "1\r\n2\r\n3\r\n4\r\n5", {"2", "3", "4", "5"}, {3, 1}},
    {"DECSTBM", "1\r\n2\r\n3\r\n4\x1B[2;3r\x1B[3H\nX", {"1", "3", "X", "4"}, {2, 1}},
    {"region, reverse", "1\r\n2\r\n3\r\n4\x1B[2;3r\x1B[2H\x1BMX", {"1", "X", "2", "4"}, {1, 1}},
    {"below the region", "\x1B[1;2r\x1B[4Ha\nb", {"", "", "", "ab"}, {3, 2}},
    {"a region of one row is none", "\x1B[2H\x1B[3;3rX", {"", "X"}, {1, 1}},
    {"SU SD", "1\r\n2\r\n3\r\n4\x1B[2S\x1B[T", {"", "3", "4"}, {3, 1}},
    {"SU in a region", "1\r\n2\r\n3\r\n4\x1B[2;3r\x1B[9S", {"1", "", "", "4"}, {0, 0}},
    {"IL outside of the region", "1\r\n2\x1B[3;4r\x1B[H\x1B[L", {"1", "2"}, {0, 0}},
    {"DECOM", "\x1B[2;3r\x1B[?6hX\x1B[9;1HY\x1B[?6lZ", {"Z", "X", "Y"}, {0, 1}},
    {"CUU stops at the margin", "\x1B[2;3r\x1B[3H\x1B[9AX\x1B[9BY", {"", "X", " Y"}, {2, 2}},
    // The alternate screen.
    {"1049", "abc\x1B[?1049hX\x1B[?1049lY", {"abcY"}, {0, 4}},
    {"1049 clears", "a\x1B[?1049hX\x1B[?1049l\x1B[?47h", {" X"}, {0, 1}},
    {"1047 clears when it ends", "a\x1B[?1047hX\x1B[?1047l\x1B[?47h", {}, {0, 2}},
    {"1048", "ab\x1B[?1048h\x1B[3H\x1B[?1048lX", {"abX"}, {0, 3}},
    // What means nothing, and what is too much.
    {"OSC",
     "a\x1B]0;title\x07"
     "b\x1B]8;;http://x\x1B\\c",
     {"abc"},
     {0, 3}},
    {"DCS SOS PM APC",
     "a\x1BPq1;2\x07\x1B\\b\x1BXxx\x1B\\c\x1B^y\x1B\\d\x1B_z\x1B\\e",
     {"abcde"},
     {0, 5}},
    {"cancelled",
     "a\x1B[12\x18"
     "b\x1B]0;x\x1A"
     "c",
     {"abc"},
     {0, 3}},
    {"escape within a sequence", "\x1B[3\x1B[2;2HX", {"", " X"}, {1, 2}},
    {"control within a sequence", "a\x1B[2\nCX", {"a", "   X"}, {1, 4}},
    {"unknown sequences",
     "a\x1B[5y\x1B[>1u\x1B[!p\x1B[1$r\x1B(Bb\x1B%Gc\x1B[1;2;3 $xd",
     {"abcd"},
     {0, 4}},
    {"misplaced prefix", "a\x1B[1?25lb\x1B[?1?l", {"ab"}, {0, 2}},
    {"parameter too large", "\x1B[99999999999999999999GX", {"       X"}, {0, 7, true}},
    {"RIS",
     "abc\x1B[2;3r\x1B[?7l\x1B[1m\x1B"
     "c12345678X",
     {"12345678", "X"},
     {1, 1}},
};

TEST(Terminal, LeavesTheScreensThatAreExpected) {
    for (Golden const& golden : goldens) {
        Session session(golden_size);
        session << golden.input;
        EXPECT_EQ(session.rows(), golden.rows) << golden.name;
        EXPECT_EQ(session.screen.cursor(), golden.cursor)
            << golden.name << ": " << session.screen.cursor().row << ","
            << session.screen.cursor().column;
        EXPECT_TRUE(session.screen.verify()) << golden.name;
    }
}

TEST(Terminal, TextMayBeSplitAnywhere) {
    for (Golden const& golden : goldens) {
        Session whole(golden_size, 3);
        whole << golden.input;
        for (usize at = 0; at <= golden.input.size(); ++at) {
            Session split(golden_size, 3);
            split << golden.input.substr(0, at) << golden.input.substr(at);
            EXPECT_EQ(split.screen.digest(), whole.screen.digest()) << golden.name << " at " << at;
            EXPECT_EQ(split.terminal.title(), whole.terminal.title()) << golden.name;
        }
    }
}

TEST(Terminal, WorksOnOneCell) {
    for (Golden const& golden : goldens) {
        Session session({1, 1}, 2);
        session << golden.input << "x\u4E00\u0301y";
        EXPECT_TRUE(session.screen.verify()) << golden.name;
        EXPECT_EQ(session.screen.cursor().row, 0u);
    }
    Session session({1, 1});
    session << "\u4E00";
    EXPECT_EQ(session.row(0), "\uFFFD");
}

struct Rendition {
    std::string_view input;
    Pen pen;
};

TEST(Terminal, SelectsRenditions) {
    using enum Attributes;
    Colour const orange = Colour::direct(255, 128, 0);
    std::vector<Rendition> const renditions = {
        {"1;3;4", {{}, {}, bold | italic | underline}},
        {"2;5;7", {{}, {}, faint | blink | inverse}},
        {"8;9", {{}, {}, hidden | strike}},
        {"1;2;22;3;23", {}},
        {"4;24;5;25;7;27;8;28;9;29", {}},
        {"4:3", {{}, {}, underline}},
        {"4;4:0", {}},
        {"31;42", {Colour::palette(1), Colour::palette(2)}},
        {"91;102", {Colour::palette(9), Colour::palette(10)}},
        {"31;42;39;49", {}},
        {"31;1;0", {}},
        {"31;", {}},
        {"38;5;200;1", {Colour::palette(200), {}, bold}},
        {"38;2;255;128;0;1", {orange, {}, bold}},
        {"48:2::255:128:0;1", {{}, orange, bold}},
        {"48:2:255:128:0", {{}, orange}},
        {"38:5:7", {Colour::palette(7)}},
        {"58;5;1;1", {{}, {}, bold}},
        {"58:2::1:2:3;1", {{}, {}, bold}},
        // What is incomplete or out of range changes nothing.
        {"38;5", {}},
        {"38", {}},
        {"38;2;1;2", {}},
        {"38;5;256;1", {{}, {}, bold}},
        {"38:2:1", {}},
        {"38;9;1", {{}, {}, bold}},
        {"1234;1", {{}, {}, bold}},
    };
    for (Rendition const& one : renditions) {
        Session session({4, 1});
        session << "\x1B[" << one.input << "mX";
        EXPECT_EQ(session.screen.row(0)[0], Cell('X', one.pen)) << one.input;
    }
}

TEST(Terminal, ErasesWithTheBackground) {
    Session session({4, 2});
    session << "ab\x1B[41;1m\x1B[K\x1B[2H\n";
    Colour const red = Colour::palette(1);
    EXPECT_EQ(session.screen.row(0)[2], Cell());
    EXPECT_EQ(session.screen.row(1)[3], Cell::blank(red));
    session << "\x1B[H\x1B[2X\x1B[@\x1B[P";
    EXPECT_EQ(session.screen.row(0)[0], Cell::blank(red));
    EXPECT_EQ(session.screen.row(0)[3], Cell::blank(red));
}

TEST(Terminal, Reports) {
    Session session({10, 5});
    session << "\x1B[3;4H\x1B[5n\x1B[6n\x1B[?6n\x1B[c\x1B[0c\x1B[7n\x1B[1c";
    EXPECT_EQ(session.reports, "\x1B[0n\x1B[3;4R\x1B[?3;4R\x1B[?6c\x1B[?6c");
    session.reports.clear();
    session << "\x1B[2;4r\x1B[?6h\x1B[2;2H\x1B[6n";
    EXPECT_EQ(session.reports, "\x1B[2;2R");
}

TEST(Terminal, NamesTheWindow) {
    Session session({10, 1});
    session << "\x1B]2;one\x07";
    EXPECT_EQ(session.terminal.title(), "one");
    session << "\x1B]0;\u00FCber;\xFF\xC2\x9B\x1B\\";
    EXPECT_EQ(session.terminal.title(), "\u00FCber;\uFFFD");
    session << "\x1B]1;icon\x07\x1B]8;;x\x07\x1B]0;lost\x18";
    EXPECT_EQ(session.terminal.title(), "\u00FCber;\uFFFD");
    session << "\x1B]2;" << std::string(100'000, 'x') << "\x07.";
    EXPECT_EQ(session.terminal.title(), std::string(command_string_max - 2, 'x'));
    EXPECT_EQ(session.row(0), ".");
    session << "\x1B]2;\x07\a\a";
    EXPECT_EQ(session.terminal.title(), "");
    EXPECT_EQ(session.terminal.bells(), 2u);
}

TEST(Terminal, RecordsModes) {
    Session session({10, 2});
    Modes const& modes = session.terminal.modes();
    session << "\x1B[?1;2004;1004;1002;1006h\x1B[?25l";
    EXPECT_TRUE(modes.application_cursor_keys && modes.bracketed_paste && modes.focus_events);
    EXPECT_EQ(modes.mouse_tracking, MouseTracking::drag);
    EXPECT_EQ(modes.mouse_encoding, MouseEncoding::decimal);
    EXPECT_FALSE(session.screen.cursor_is_visible());
    session << "\x1B[?1l\x1B[?2004l\x1B[?1004l\x1B[?1002l\x1B[?1006l\x1B[?25h";
    EXPECT_FALSE(modes.application_cursor_keys || modes.bracketed_paste || modes.focus_events);
    EXPECT_EQ(modes.mouse_tracking, MouseTracking::none);
    EXPECT_EQ(modes.mouse_encoding, MouseEncoding::bytes);
    EXPECT_TRUE(session.screen.cursor_is_visible());
    session << "\x1B[4 q";
    EXPECT_EQ(session.screen.cursor_shape(), CursorShape::underline);
    session << "\x1B[6 q";
    EXPECT_EQ(session.screen.cursor_shape(), CursorShape::bar);
    session << "\x1B[ q";
    EXPECT_EQ(session.screen.cursor_shape(), CursorShape::block);
}

TEST(Terminal, TakesALineOfAMegabyte) {
    Session session({80, 24}, 100);
    session << std::string(1 << 20, 'x') << "\x1B[" << std::string(1 << 20, '1') << ";";
    session << std::string(1 << 20, ';') << "mY";
    EXPECT_TRUE(session.screen.verify());
    EXPECT_EQ(session.row(22), std::string(80, 'x'));
    EXPECT_EQ(session.screen.history_size(), 100u);
}

} // namespace
