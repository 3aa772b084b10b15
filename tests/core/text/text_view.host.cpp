// A view that draws what changed, beside one that draws everything: the pixels are the same, and
// what lies outside of the rectangles that it answers has not changed.
#include "tests/core/text/kernel_tables.hpp"
#include "tests/core/text/random_bytes.hpp"
#include "tests/core/text/screens.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace twofold;
using namespace twofold::text;
using namespace twofold::text::testing;

struct Canvas {
    Canvas(ScreenSize cells, Font const& font, PixelKernels const& kernels)
        : pixels(usize{cells.columns} * font.width * cells.rows * font.height),
          surface(Surface::create(
                      pixels,
                      cells.columns * font.width,
                      cells.rows * font.height,
                      cells.columns * font.width,
                      kernels)
                      .value()) {}
    std::vector<u32> pixels;
    Surface surface;
};

Theme const& dark() {
    return *find_theme("dark").value();
}

TEST(TextView, DrawsWhatDrawingAllWouldDraw) {
    for (KernelTable const& table : kernel_tables()) {
        for (u32 seed = 0; seed < 40; ++seed) {
            RandomBytes random(seed);
            Font const& font = seed % 4 == 0 ? font_16x32 : font_8x16;
            ScreenSize const size{1 + seed % 11, 1 + seed % 6};
            Session session(size, 3);
            Canvas ours(size, font, table.kernels);
            TextView view(font, dark());
            for (u32 round = 0; round < 60; ++round) {
                for (u32 parts = random.below(6); parts > 0; --parts) {
                    session << random.part();
                }
                session << "\x1B[" << std::to_string(random.below(10)) << "m";
                view.show_blinking(random.below(3) == 0);
                view.look_back(random.below(8) == 0 ? random.below(5) : 0);
                std::vector<u32> const before = ours.pixels;
                DrawnRectangles const drawn = view.draw(session.screen, ours.surface);

                TextView whole = view;
                whole.redraw();
                Canvas all(size, font, reference_pixel_kernels());
                whole.draw(session.screen, all.surface);
                ASSERT_EQ(ours.pixels, all.pixels) << "seed " << seed << ", round " << round;
                for (usize at = 0; at < before.size(); ++at) {
                    u32 const width = ours.surface.width();
                    Rectangle const pixel{
                        static_cast<i32>(at % width), static_cast<i32>(at / width), 1, 1};
                    bool const is_told = std::ranges::any_of(
                        drawn, [&](Rectangle const& one) { return one.contains(pixel); });
                    ASSERT_TRUE(is_told || before[at] == ours.pixels[at])
                        << "seed " << seed << ", round " << round << ", pixel " << at;
                }
            }
        }
    }
}

/// One cell of a 1x1 screen, as a letter for each pixel: ink, ground, the cursor's colour.
std::string cell(std::string_view input, Font const& font = font_8x16) {
    Session session({2, 1});
    session << input;
    Canvas canvas({2, 1}, font, reference_pixel_kernels());
    TextView view(font, dark());
    view.draw(session.screen, canvas.surface);
    std::string drawn;
    for (u32 y = 0; y < font.height; ++y) {
        for (u32 x = 0; x < font.width; ++x) {
            u32 const pixel = canvas.surface.row(y)[x];
            drawn += pixel == dark().background ? '.' : pixel == dark().cursor ? 'c' : '#';
        }
        drawn += '\n';
    }
    return drawn;
}

usize count(std::string const& text, char letter) {
    return static_cast<usize>(std::count(text.begin(), text.end(), letter));
}

constexpr usize letter_pixels = 15; // of an L

TEST(TextView, DrawsAttributes) {
    std::string const plain = cell("L");
    EXPECT_EQ(count(plain, '#'), letter_pixels);
    EXPECT_EQ(cell("L\x1B[?25l"), plain);
    EXPECT_NE(cell("\x1B[1mL"), plain);
    EXPECT_EQ(count(cell("\x1B[3mL"), '#'), letter_pixels);
    EXPECT_NE(cell("\x1B[3mL"), plain);
    EXPECT_EQ(cell("\x1B[4mL").substr(usize{14} * 9, 9), "########\n");
    EXPECT_EQ(cell("\x1B[9mL").substr(usize{8} * 9, 9), "########\n");
    EXPECT_EQ(cell("\x1B[4m ").substr(usize{14} * 9, 9), "########\n");
    EXPECT_EQ(count(cell("\x1B[8mL"), '#'), 0u);
    EXPECT_EQ(count(cell("\x1B[7mL"), '.'), letter_pixels);
    EXPECT_EQ(count(cell("\x1B[7m "), '.'), 0u);
    EXPECT_EQ(count(cell("\x1B[2mL"), '#'), letter_pixels);
    EXPECT_EQ(count(cell("L", font_16x32), '#') % 4, 0u);
}

TEST(TextView, DrawsCursors) {
    EXPECT_EQ(count(cell("\x1B[H"), 'c'), 8u * 16);
    EXPECT_EQ(count(cell("L\x1B[H"), 'c'), usize{8} * 16 - letter_pixels);
    EXPECT_EQ(cell("\x1B[3 qL\x1B[H").substr(usize{14} * 9), "cccccccc\ncccccccc\n");
    EXPECT_EQ(count(cell("\x1B[5 q\x1B[H"), 'c'), 2u * 16);
    EXPECT_EQ(count(cell("\x1B[?25l\x1B[H"), 'c'), 0u);
}

TEST(TextView, AnswersWhatChanged) {
    Session session({10, 4});
    Canvas canvas({10, 4}, font_8x16, reference_pixel_kernels());
    TextView view(font_8x16, dark());
    auto const draw = [&] {
        DrawnRectangles const drawn = view.draw(session.screen, canvas.surface);
        return std::vector<Rectangle>(drawn.begin(), drawn.end());
    };
    using Rectangles = std::vector<Rectangle>;
    EXPECT_EQ(draw(), (Rectangles{{0, 0, 80, 64}}));
    EXPECT_EQ(draw(), Rectangles{});
    session << "ab";
    EXPECT_EQ(draw(), (Rectangles{{0, 0, 24, 16}}));
    session << "\x1B[3;5Hx\x1B[3;5H"; // where the cursor was, and where it is
    EXPECT_EQ(draw(), (Rectangles{{16, 0, 8, 16}, {32, 32, 8, 16}}));
    session << "\x1B[4H\n";
    EXPECT_EQ(draw().front(), (Rectangle{0, 0, 80, 48})); // moved
    session << "\x1B[4;7H";
    EXPECT_EQ(draw(), (Rectangles{{0, 48, 56, 16}}));
    view.set_theme(*find_theme("light").value());
    EXPECT_EQ(draw(), (Rectangles{{0, 0, 80, 64}}));
    EXPECT_EQ(canvas.pixels[0], find_theme("light").value()->background);
}

TEST(TextView, LooksBack) {
    Session session({3, 2}, 5);
    session << "1\r\n2\r\n3\r\n4\x1B[?25l";
    Canvas canvas({3, 2}, font_8x16, reference_pixel_kernels());
    TextView view(font_8x16, dark());
    view.look_back(99);
    view.draw(session.screen, canvas.surface);
    Session expected({3, 2});
    expected << "1\r\n2\x1B[?25l";
    Canvas other({3, 2}, font_8x16, reference_pixel_kernels());
    TextView(font_8x16, dark()).draw(expected.screen, other.surface);
    EXPECT_EQ(canvas.pixels, other.pixels);
}

TEST(TextView, FillsASurface) {
    std::vector<u32> pixels(usize{1920} * 1080);
    Surface const screen = Surface::create(pixels, 1920, 1080, 1920).value();
    EXPECT_EQ(TextView::cells_of(screen, font_8x16), (ScreenSize{240, 67}));
    EXPECT_EQ(TextView::cells_of(screen, font_16x32), (ScreenSize{120, 33}));
    Surface const speck = Surface::create(pixels, 3, 5, 3).value();
    EXPECT_EQ(TextView::cells_of(speck, font_8x16), (ScreenSize{1, 1}));
}

TEST(TextView, FillsWhatNoCellReaches) {
    Session session({2, 1});
    std::vector<u32> pixels(usize{19} * 21, 7);
    Surface surface = Surface::create(pixels, 19, 21, 19).value();
    TextView view(font_8x16, dark());
    session << "\x1B[?25l";
    DrawnRectangles const drawn = view.draw(session.screen, surface);
    EXPECT_EQ(pixels, std::vector<u32>(usize{19} * 21, dark().background));
    ASSERT_EQ(drawn.size(), 1u);
    EXPECT_EQ(drawn[0], surface.bounds());
}

TEST(TextView, IsCutByASmallSurface) {
    Session session({4, 2});
    session << "abcd\r\nef";
    std::vector<u32> pixels(20 * 20 + 50, 7);
    Surface surface = Surface::create(std::span(pixels).first(400), 20, 20, 20).value();
    TextView view(font_8x16, dark());
    DrawnRectangles const drawn = view.draw(session.screen, surface);
    ASSERT_EQ(drawn.size(), 1u);
    EXPECT_EQ(drawn[0], (Rectangle{0, 0, 20, 20}));
    session << "\n\n\n";
    view.draw(session.screen, surface);
    EXPECT_TRUE(std::all_of(pixels.begin() + 400, pixels.end(), [](u32 one) { return one == 7; }));
}

} // namespace
