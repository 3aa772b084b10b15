// What a terminal was asked for, in whatever pieces it came, is taken back, and nothing else.
#include "apps/launch/screen_modes.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace twofold;
using namespace twofold::launch;

namespace {

std::string undo_of(std::string_view text, usize piece = SIZE_MAX) {
    ScreenModes modes;
    while (!text.empty()) {
        std::string_view const part = text.substr(0, piece);
        modes.feed(part);
        text.remove_prefix(part.size());
    }
    return std::string(modes.undo().view());
}

struct Case {
    std::string_view shown;
    std::string_view undone;
};

constexpr Case cases[] = {
    {"", ""},
    {"plain\n", ""},
    {"plain", "\r\n"},
    {"\x1B[?2004h\x1B[1;32mtwofold> \x1B[0m", "\x1B[?2004l\r\n"},
    {"\x1B[?2004h\x1B[?2004l", ""},
    {"\x1B[?1049h\x1B[?25l\x1B[1mtop", "\x1B[m\x1B[?25h\x1B[?1049l"},
    {"> \x1B[?1049h\x1B[?25h\x1B[H\n\n", "\x1B[?1049l\r\n"}, // the row that it goes back to
    {"\x1B[?1049h\x1B[?1049l", ""},
    {"\x1B[?1;25;2048h", "\x1B[?1l\x1B[?2048l"},
    {"\x1B[31m\x1B[m", ""},
    {"\x1B[31m\x1B[0;2m", "\x1B[m"},
    {"\x1B[38;5;0m", ""}, // taken for plain, which is harmless
    {"\x1B[25l\x1B[?25 l\x1B[>25l", ""},
    {"\x1B[?25l\x1B[?25", "\x1B[?25h"},
    {"\x1B[?25l\x1B"
     "c",
     ""},
    {"\x1B[?25\x1B[?25l", "\x1B[?25h"},
    {"\x1B[?1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;25h", ""}, // longer than any that is known,
    {"\x1B[?99999999999999999999h\x1B[?1049999999h", ""},
};

TEST(ScreenModes, UndoesWhatWasAsked) {
    for (Case const& test : cases) {
        EXPECT_EQ(undo_of(test.shown), test.undone) << test.shown;
        EXPECT_EQ(undo_of(test.shown, 1), test.undone) << test.shown;
        EXPECT_EQ(undo_of(test.shown, 3), test.undone) << test.shown;
    }
}

TEST(ScreenModes, WhatIsUndoneIsUsual) {
    for (Case const& test : cases) {
        ScreenModes modes;
        modes.feed(test.shown);
        modes.feed(modes.undo().view());
        EXPECT_EQ(modes.undo().view(), "") << test.shown;
    }
}

TEST(ScreenModes, EverythingAtOnceFits) {
    ScreenModes modes;
    modes.feed("row\x1B[?1h\x1B[?2048h\x1B[?2004h\x1B[?25l\x1B[?1049h\x1B[1m");
    EXPECT_EQ(modes.undo().view(), "\x1B[m\x1B[?1l\x1B[?2048l\x1B[?2004l\x1B[?25h\x1B[?1049l\r\n");
    EXPECT_EQ(modes.redo().view(), "\x1B[?1049h\x1B[?25l\x1B[?2004h\x1B[?2048h\x1B[?1h");
    modes.feed(modes.undo().view());
    EXPECT_EQ(modes.redo().view(), "");
}

} // namespace
