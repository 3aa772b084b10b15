// What the option --display takes.
#include "apps/display/display_option.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using namespace twofold::display;
using Kind = DisplayChoice::Kind;

DisplayChoice taken(std::string const& text) {
    std::optional<DisplayChoice> choice;
    EXPECT_EQ(take_display(text, choice), "") << text;
    EXPECT_TRUE(choice.has_value()) << text;
    return choice.value_or(DisplayChoice());
}

TEST(DisplayOption, TakesEachKind) {
    EXPECT_EQ(taken("none").kind, Kind::none);
    EXPECT_EQ(taken("none").size, (hosted::FrameSize{1024, 768}));
    EXPECT_EQ(taken("sdl,size=640x480").kind, Kind::window);
    EXPECT_EQ(taken("sdl,size=640x480").size, (hosted::FrameSize{640, 480}));
    DisplayChoice const file = taken("png:some,where/a.png,size=1x8192");
    EXPECT_EQ(file.kind, Kind::png);
    EXPECT_EQ(file.file, "some,where/a.png");
    EXPECT_EQ(file.size, (hosted::FrameSize{1, 8192}));
}

TEST(DisplayOption, RefusesAllElse) {
    for (char const* const text :
         {"", "png", "png:", "window", "none,", "sdl,size=", "sdl,size=1", "sdl,size=0x1",
          "sdl,size=1x8193", "sdl,size=1x2x3", "sdl,size=-1x2", "png:,size=3x3",
          "none,size=3x 3"}) {
        std::optional<DisplayChoice> choice;
        EXPECT_NE(take_display(text, choice), "") << text;
        EXPECT_FALSE(choice.has_value()) << text;
    }
}

} // namespace
