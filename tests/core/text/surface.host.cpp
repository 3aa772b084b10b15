// Drawing beside a naive model that looks at every pixel of the surface, with every table of
// kernels, over random operations that reach over all edges.
#include "core/text/text.hpp"
#include "tests/core/text/kernel_tables.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::text;
using namespace twofold::text::testing;

constexpr u32 poison = 0xDEADBEEF;

/// A surface with a margin of words around it that nothing may touch.
struct Canvas {
    Canvas(u32 width, u32 height, u32 gap, PixelKernels const& kernels, u32 seed)
        : stride(width + gap), pixels(stride * height + 2 * guard, poison) {
        surface = Surface::create(
            std::span(pixels).subspan(guard, usize{stride} * height), width, height, stride,
            kernels);
        std::mt19937 random(seed);
        for (u32 y = 0; y < height; ++y) {
            for (u32 x = 0; x < width; ++x) {
                at(x, y) = static_cast<u32>(random());
            }
        }
    }
    u32& at(u32 x, u32 y) { return pixels[guard + y * stride + x]; }
    Surface& operator*() { return surface.value(); }
    Surface* operator->() { return &surface.value(); }

    static constexpr u32 guard = 64;
    u32 stride;
    std::vector<u32> pixels;
    Result<Surface> surface{Error::invalid_state};
};

/// The same operations, pixel by pixel, with no thought for speed.
struct Model {
    Canvas& canvas;

    bool is_seen(i64 x, i64 y) {
        Rectangle const clip = canvas->clip();
        return x >= clip.x && x < clip.right() && y >= clip.y && y < clip.bottom();
    }
    void set(i64 x, i64 y, u32 colour) {
        if (is_seen(x, y)) {
            canvas.at(static_cast<u32>(x), static_cast<u32>(y)) = colour;
        }
    }
    template<class Colour>
    void each(Rectangle const& area, Colour const& colour) {
        for (u32 y = 0; y < canvas->height(); ++y) {
            for (u32 x = 0; x < canvas->width(); ++x) {
                if (area.contains({static_cast<i32>(x), static_cast<i32>(y), 1, 1})) {
                    set(x, y, colour(i64{x} - area.x, i64{y} - area.y, canvas.at(x, y)));
                }
            }
        }
    }
    void fill(Rectangle const& area, u32 colour) {
        each(area, [&](i64, i64, u32) { return colour; });
    }
    void blit(Point to, Rectangle const& source) {
        Canvas const before = canvas;
        Rectangle const all = canvas->bounds();
        each({to.x, to.y, source.width, source.height}, [&](i64 x, i64 y, u32 old) {
            Rectangle const one{
                static_cast<i32>(source.x + x), static_cast<i32>(source.y + y), 1, 1};
            u32 const at =
                Canvas::guard + static_cast<u32>(one.y) * canvas.stride + static_cast<u32>(one.x);
            return all.contains(one) ? before.pixels[at] : old;
        });
    }
    /// The textbook's loop, over the whole line.
    void line(Point a, Point b, u32 colour) {
        i64 const dx = std::abs(i64{b.x} - a.x);
        i64 const dy = std::abs(i64{b.y} - a.y);
        i64 const sx = b.x >= a.x ? 1 : -1;
        i64 const sy = b.y >= a.y ? 1 : -1;
        i64 x = a.x;
        i64 y = a.y;
        i64 error = std::max(dx, dy);
        for (i64 left = std::max(dx, dy); left >= 0; --left) {
            set(x, y, colour);
            error += 2 * std::min(dx, dy);
            bool const both = error >= 2 * std::max(dx, dy) && left > 0;
            error -= both ? 2 * std::max(dx, dy) : 0;
            x += dx >= dy || both ? sx : 0;
            y += dx < dy || both ? sy : 0;
        }
    }
    void glyph(Point to, Font const& font, std::span<u8 const> shape, u32 ink, u32 ground) {
        each({to.x, to.y, font.width, font.height}, [&](i64 x, i64 y, u32) {
            u8 const byte = shape[static_cast<usize>(y * font.row_bytes() + x / 8)];
            return byte >> (7 - x % 8) & 1 ? ink : ground;
        });
    }
    void image(Point to, Image const& image) {
        each({to.x, to.y, image.width, image.height}, [&](i64 x, i64 y, u32 old) {
            u32 const over = image.pixels[static_cast<usize>(y * image.width + x)];
            u32 const alpha = over >> 24;
            u32 mixed = 0;
            for (u32 shift = 0; shift < 24; shift += 8) {
                double const value = (over >> shift & 255) * alpha / 255.0 +
                                     (old >> shift & 255) * (255 - alpha) / 255.0;
                mixed |= static_cast<u32>(std::lround(value)) << shift;
            }
            return mixed;
        });
    }
};

/// Coordinates near the edges, inside, and far away.
i32 coordinate(std::mt19937& random, u32 side) {
    switch (random() % 8) {
    case 0:
        return 0;
    case 1:
        return static_cast<i32>(side);
    default:
        return static_cast<i32>(random() % (u64{2} * side)) - static_cast<i32>(side / 2);
    }
}

void draw(std::mt19937& random, Canvas& drawn, Canvas& expected) {
    u32 const width = drawn->width();
    u32 const height = drawn->height();
    auto const point = [&] { return Point{coordinate(random, width), coordinate(random, height)}; };
    auto const area = [&] {
        Point const corner = point();
        return Rectangle{corner.x, corner.y, u32(random() % width), u32(random() % height)};
    };
    auto const colour = [&] { return static_cast<u32>(random()); };
    Model model{expected};
    switch (random() % 6) {
    case 0: {
        Rectangle const clip = random() % 4 == 0 ? drawn->bounds() : area();
        drawn->set_clip(clip);
        expected->set_clip(clip);
        break;
    }
    case 1: {
        Rectangle const what = area();
        u32 const ink = colour();
        drawn->fill(what, ink);
        model.fill(what, ink);
        break;
    }
    case 2: {
        Point const to = point();
        Rectangle const source = area();
        drawn->blit(to, *drawn, source);
        model.blit(to, source);
        break;
    }
    case 3: {
        Point const a = point();
        Point const b = point();
        u32 const ink = colour();
        drawn->line(a, b, ink);
        model.line(a, b, ink);
        break;
    }
    case 4: {
        Font const& font = random() % 2 == 0 ? font_8x16 : font_16x32;
        auto const shape = font.glyph(u32(random() % font.glyph_count()), Weight::regular);
        Point const to = point();
        u32 const ink = colour();
        u32 const ground = colour();
        drawn->glyph(to, font, shape, ink, ground);
        model.glyph(to, font, shape, ink, ground);
        break;
    }
    default: {
        u32 const side = 1 + random() % 20;
        std::vector<u32> pixels(usize{side} * side);
        for (u32& one : pixels) {
            one = colour();
        }
        Point const to = point();
        drawn->image(to, {pixels, side, side});
        model.image(to, {pixels, side, side});
        break;
    }
    }
}

TEST(Surface, EqualsANaiveModel) {
    for (KernelTable const& table : kernel_tables()) {
        for (u32 seed = 0; seed < 150; ++seed) {
            std::mt19937 random(seed);
            u32 const width = 1 + random() % 70;
            u32 const height = 1 + random() % 40;
            u32 const gap = random() % 5;
            Canvas drawn(width, height, gap, table.kernels, seed);
            Canvas expected(width, height, gap, reference_pixel_kernels(), seed);
            for (u32 step = 0; step < 60; ++step) {
                draw(random, drawn, expected);
                ASSERT_EQ(drawn.pixels, expected.pixels)
                    << table.name << ", seed " << seed << ", step " << step;
            }
        }
    }
}

TEST(Surface, RefusesWhatItCannotBe) {
    std::vector<u32> pixels(100);
    EXPECT_EQ(Surface::create(pixels, 0, 1, 1).error(), Error::out_of_range);
    EXPECT_EQ(Surface::create(pixels, 1, 0, 1).error(), Error::out_of_range);
    EXPECT_EQ(Surface::create(pixels, 10, 10, 9).error(), Error::out_of_range);
    EXPECT_EQ(Surface::create(pixels, 1, Surface::side_max + 1, 1).error(), Error::out_of_range);
    EXPECT_EQ(Surface::create(pixels, 1, 1, Surface::side_max + 1).error(), Error::out_of_range);
    EXPECT_EQ(Surface::create(pixels, 10, 10, 11).error(), Error::no_space);
    EXPECT_TRUE(Surface::create(pixels, 10, 10, 10));
    EXPECT_TRUE(Surface::create(pixels, 1, 10, 11));
}

TEST(Surface, TakesAnyCoordinates) {
    constexpr i32 least = std::numeric_limits<i32>::min();
    constexpr i32 most = std::numeric_limits<i32>::max();
    Canvas canvas(30, 20, 3, reference_pixel_kernels(), 1);
    std::vector<u32> const before = canvas.pixels;
    for (i32 const x : {least, -31, 30, most}) {
        for (i32 const y : {least, -33, 20, most}) {
            canvas->fill({x, y, 2, 2}, 1);
            canvas->blit({x, y}, *canvas, {0, 0, ~0u, ~0u});
            canvas->blit({0, 0}, *canvas, {x, y, 2, 2});
            canvas->glyph({x, y}, font_16x32, font_16x32.glyph(1, Weight::bold), 1, 2);
            canvas->image({x, y}, {std::span<u32 const>(before).first(4), 2, 2});
            canvas->text({x, y}, font_8x16, "\u4E00b\xFF", 1, 2);
            canvas->line({x, y}, {x, y}, 1);
        }
    }
    EXPECT_EQ(canvas.pixels, before);
    canvas->line({least, 7}, {most, 7}, 0);
    for (u32 x = 0; x < 30; ++x) {
        EXPECT_EQ(canvas.at(x, 7), 0u);
    }
    canvas->fill({least, least, ~0u, ~0u}, 5);
    EXPECT_EQ(canvas.at(0, 0), 5u);
    EXPECT_EQ(canvas.at(29, 19), 5u);
}

TEST(Surface, LongLinesMeetTheSamePixels) {
    // Seen through a window, a line is what it is on a large surface.
    std::mt19937 random(3);
    Canvas large(400, 400, 0, reference_pixel_kernels(), 1);
    for (u32 round = 0; round < 300; ++round) {
        auto const end = [&] { return Point{i32(random() % 400), i32(random() % 400)}; };
        Point const a = end();
        Point const b = end();
        Canvas window(40, 30, 0, reference_pixel_kernels(), 1);
        large->fill(large->bounds(), 0);
        window->fill(window->bounds(), 0);
        large->line(a, b, 1);
        window->line({a.x - 180, a.y - 180}, {b.x - 180, b.y - 180}, 1);
        for (u32 y = 0; y < 30; ++y) {
            for (u32 x = 0; x < 40; ++x) {
                ASSERT_EQ(window.at(x, y), large.at(x + 180, y + 180)) << round;
            }
        }
    }
}

TEST(Surface, DrawsTextInCells) {
    Canvas canvas(64, 16, 0, reference_pixel_kernels(), 1);
    EXPECT_EQ(canvas->text({0, 0}, font_8x16, "a\u4E00\u0301\xE2", 1, 2), 4 * 8);
    Canvas expected(64, 16, 0, reference_pixel_kernels(), 1);
    Model model{expected};
    auto const shape = [](CodePoint point) {
        return font_8x16.glyph(font_8x16.find(point), Weight::regular);
    };
    model.glyph({0, 0}, font_8x16, shape('a'), 1, 2);
    model.glyph({8, 0}, font_8x16, shape(0x4E00), 1, 2);
    model.fill({16, 0, 8, 16}, 2);
    model.glyph({24, 0}, font_8x16, shape(replacement_character), 1, 2);
    EXPECT_EQ(canvas.pixels, expected.pixels);
}

TEST(PixelKernels, AreEqualBitForBit) {
    std::mt19937 random(7);
    for (KernelTable const& table : kernel_tables()) {
        for (usize count = 0; count < 70; ++count) {
            for (usize offset = 0; offset < 9; ++offset) {
                std::vector<u32> ours(count + 20);
                for (u32& one : ours) {
                    one = static_cast<u32>(random());
                }
                std::vector<u32> reference = ours;
                std::vector<u32> above(count + 20);
                for (u32& one : above) {
                    one = static_cast<u32>(random());
                }
                table.kernels.blend(&ours[offset], &above[3], count);
                reference_pixel_kernels().blend(&reference[offset], &above[3], count);
                ASSERT_EQ(ours, reference) << table.name << " " << count;
                table.kernels.fill(&ours[offset], count, 0x12345678);
                reference_pixel_kernels().fill(&reference[offset], count, 0x12345678);
                ASSERT_EQ(ours, reference) << table.name << " " << count;
            }
        }
    }
}

TEST(PixelKernels, BlendEveryPairOfLevels) {
    // All levels above, below and opacities: 2^24 cases, in rows of 256.
    for (KernelTable const& table : kernel_tables()) {
        u32 wrong = 0;
        for (u32 alpha = 0; alpha < 256; ++alpha) {
            for (u32 level = 0; level < 256; ++level) {
                u32 const one = alpha << 24 | level * 0x01'0101;
                u32 above[256];
                u32 ours[256];
                for (u32 i = 0; i < 256; ++i) {
                    above[i] = one;
                    ours[i] = i * 0x01'0101;
                }
                table.kernels.blend(ours, above, 256);
                for (u32 i = 0; i < 256; ++i) {
                    u32 const exact = (2 * (level * alpha + i * (255 - alpha)) + 255) / 510;
                    wrong += ours[i] == exact * 0x01'0101 ? 0 : 1;
                }
            }
        }
        EXPECT_EQ(wrong, 0u) << table.name;
    }
}

} // namespace
