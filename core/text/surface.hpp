// Surface: pixels in memory of the caller, and drawing on them. Everything is clipped, so any
// coordinates may be asked for; nothing fails. Pure; no thread safety.
#pragma once

#include "core/text/font.hpp"
#include "core/text/pixel_kernels.hpp"
#include "core/text/theme.hpp"

namespace twofold::text {

struct Point {
    i32 x = 0;
    i32 y = 0;
    constexpr bool operator==(Point const&) const = default;
};

/// Pixels [x, x + width) of rows [y, y + height).
struct Rectangle {
    i32 x = 0;
    i32 y = 0;
    u32 width = 0;
    u32 height = 0;

    constexpr bool empty() const { return width == 0 || height == 0; }
    constexpr i64 right() const { return i64{x} + width; }
    constexpr i64 bottom() const { return i64{y} + height; }
    constexpr bool contains(Rectangle const& other) const {
        return other.x >= x && other.y >= y && other.right() <= right() &&
               other.bottom() <= bottom();
    }
    constexpr bool operator==(Rectangle const&) const = default;
};

/// What two rectangles share; empty where they share nothing. O(1).
Rectangle intersection(Rectangle const& a, Rectangle const& b);
/// The least rectangle around two that are not empty. O(1).
Rectangle around(Rectangle const& a, Rectangle const& b);

/// Pixels with an opacity, 0xAARRGGBB, not premultiplied, row by row without gaps.
struct Image {
    std::span<u32 const> pixels; ///< width * height
    u32 width;
    u32 height;
};

class Surface {
public:
    /// Wider or higher is refused, so that no sum of coordinates overflows.
    static constexpr u32 side_max = 1u << 14;
    /// Ends of lines beyond this are taken as if they were there.
    static constexpr i32 line_reach = 1 << 29;

    /// Rows are `stride` words apart. Errors: out_of_range (no pixels, a side above side_max, a
    /// stride below the width or above side_max), no_space (too few words). O(1).
    static Result<Surface> create(
        std::span<u32> pixels,
        u32 width,
        u32 height,
        u32 stride,
        PixelKernels const& kernels = reference_pixel_kernels());

    u32 width() const { return m_width; }
    u32 height() const { return m_height; }
    Rectangle bounds() const { return {0, 0, m_width, m_height}; }
    std::span<u32 const> row(u32 y) const {
        return std::span<u32 const>(m_pixels).subspan(usize{y} * m_stride, m_width);
    }

    /// From now on nothing outside of `area` is drawn. O(1).
    void set_clip(Rectangle const& area) { m_clip = intersection(bounds(), area); }
    Rectangle const& clip() const { return m_clip; }

    /// O(pixels).
    void fill(Rectangle const& area, Rgb colour);
    /// Copies `source` of `from` to where its upper left corner is `to`. `from` may be this
    /// surface: the pixels are as if they had been copied before. O(pixels).
    void blit(Point to, Surface const& from, Rectangle const& source);
    /// Both ends included; for each column (or row, where it is steep) the nearest pixel, the one
    /// nearer to `b` where two are equally near (J. Bresenham, "Algorithm for computer control of
    /// a digital plotter", 1965). What is clipped changes no other pixel. O(what is seen).
    void line(Point a, Point b, Rgb colour);
    /// A bitmap in the form of a glyph of `font`. O(pixels).
    void
    glyph(Point to, Font const& font, std::span<u8 const> shape, Rgb foreground, Rgb background);
    /// UTF-8 in one row, a cell or two for each character, without marks. Returns the x behind it.
    /// O(text) and O(pixels).
    i32 text(
        Point to,
        Font const& font,
        std::string_view utf8,
        Rgb foreground,
        Rgb background,
        Weight weight = Weight::regular);
    /// An image over what is there (PixelKernels::blend). O(pixels).
    void image(Point to, Image const& image);

private:
    Surface(std::span<u32> pixels, u32 width, u32 height, u32 stride, PixelKernels const& kernels)
        : m_pixels(pixels),
          m_width(width),
          m_height(height),
          m_stride(stride),
          m_clip{0, 0, width, height},
          m_kernels(&kernels) {}

    std::span<u32> span_at(i64 x, i64 y, usize width) {
        usize const at = static_cast<usize>(y) * m_stride + static_cast<usize>(x);
        return m_pixels.subspan(at, width);
    }

    std::span<u32> m_pixels;
    u32 m_width;
    u32 m_height;
    u32 m_stride;
    Rectangle m_clip;
    PixelKernels const* m_kernels;
};

} // namespace twofold::text
