// Drawing. Each operation first finds what is to be seen of it, so that the loops check nothing.
#include "core/text/surface.hpp"

#include "core/text/width.hpp"

#include <algorithm>

namespace twofold::text {

namespace {

/// The rectangle between corners, which may be the wrong way round: then it is empty.
Rectangle between(i64 left, i64 top, i64 right, i64 bottom) {
    if (right <= left || bottom <= top) {
        return {};
    }
    return {
        static_cast<i32>(left), static_cast<i32>(top), static_cast<u32>(right - left),
        static_cast<u32>(bottom - top)};
}

i32 within_reach(i32 coordinate) {
    return std::clamp(coordinate, -Surface::line_reach, Surface::line_reach);
}

} // namespace

Rectangle intersection(Rectangle const& a, Rectangle const& b) {
    return between(
        std::max(a.x, b.x), std::max(a.y, b.y), std::min(a.right(), b.right()),
        std::min(a.bottom(), b.bottom()));
}

Rectangle around(Rectangle const& a, Rectangle const& b) {
    return between(
        std::min(a.x, b.x), std::min(a.y, b.y), std::max(a.right(), b.right()),
        std::max(a.bottom(), b.bottom()));
}

Result<Surface> Surface::create(
    std::span<u32> pixels, u32 width, u32 height, u32 stride, PixelKernels const& kernels) {
    if (width == 0 || height == 0 || height > side_max || stride < width || stride > side_max) {
        return Error::out_of_range;
    }
    if (pixels.size() < usize{stride} * (height - 1) + width) {
        return Error::no_space;
    }
    return Surface(pixels, width, height, stride, kernels);
}

void Surface::fill(Rectangle const& area, Rgb colour) {
    Rectangle const seen = intersection(area, m_clip);
    for (u32 row = 0; row < seen.height; ++row) {
        std::span<u32> const pixels = span_at(seen.x, i64{seen.y} + row, seen.width);
        m_kernels->fill(pixels.data(), pixels.size(), colour);
    }
}

void Surface::blit(Point to, Surface const& from, Rectangle const& source) {
    // What exists of the source, moved to its place, as far as it is seen there.
    Rectangle const there = intersection(source, from.bounds());
    i64 const across = i64{to.x} - source.x;
    i64 const down = i64{to.y} - source.y;
    i64 const left = std::max<i64>(there.x + across, m_clip.x);
    i64 const top = std::max<i64>(there.y + down, m_clip.y);
    i64 const right = std::min(there.right() + across, m_clip.right());
    i64 const bottom = std::min(there.bottom() + down, m_clip.bottom());
    Rectangle const seen = between(left, top, right, bottom);
    // Within one surface, rows and pixels are taken in the order that overwrites none unread.
    bool const goes_down = down > 0;
    for (u32 step = 0; step < seen.height; ++step) {
        i64 const y = seen.y + i64{goes_down ? seen.height - 1 - step : step};
        std::span<u32> const target = span_at(seen.x, y, seen.width);
        std::span<u32 const> const origin =
            from.row(static_cast<u32>(y - down))
                .subspan(static_cast<usize>(seen.x - across), seen.width);
        if (across > 0) {
            std::copy_backward(origin.begin(), origin.end(), target.end());
        } else {
            std::copy(origin.begin(), origin.end(), target.begin());
        }
    }
}

/// Along the longer side `major` grows by one and `minor` by a fraction: after i steps it is
/// floor((2 i dy + dx) / 2 dx), so a line can begin anywhere and still meet the same pixels.
void Surface::line(Point a, Point b, Rgb colour) {
    i64 const ax = within_reach(a.x);
    i64 const ay = within_reach(a.y);
    i64 const bx = within_reach(b.x);
    i64 const by = within_reach(b.y);
    i64 const across = bx >= ax ? bx - ax : ax - bx;
    i64 const down = by >= ay ? by - ay : ay - by;
    bool const is_steep = down > across;
    i64 const length = is_steep ? down : across;
    i64 const rise = is_steep ? across : down;
    i64 const major_step = (is_steep ? by >= ay : bx >= ax) ? 1 : -1;
    i64 const minor_step = (is_steep ? bx >= ax : by >= ay) ? 1 : -1;
    i64 const major_begin = is_steep ? ay : ax;
    i64 const minor_begin = is_steep ? ax : ay;
    i64 const low = is_steep ? m_clip.y : m_clip.x;
    i64 const high = is_steep ? m_clip.bottom() : m_clip.right();
    // The steps i for which major_begin +- i lies in [low, high).
    i64 const first =
        std::max<i64>(0, major_step > 0 ? low - major_begin : major_begin - (high - 1));
    i64 const last = std::min(length, major_step > 0 ? high - 1 - major_begin : major_begin - low);
    if (first > last || m_clip.empty()) {
        return;
    }
    u64 const twice = length == 0 ? 1 : 2 * static_cast<u64>(length);
    u64 const sum = 2 * static_cast<u64>(first) * static_cast<u64>(rise) + static_cast<u64>(length);
    i64 minor = minor_begin + minor_step * static_cast<i64>(sum / twice);
    u64 rest = sum % twice;
    for (i64 step = first; step <= last; ++step) {
        i64 const major = major_begin + major_step * step;
        i64 const x = is_steep ? minor : major;
        i64 const y = is_steep ? major : minor;
        if (x >= m_clip.x && x < m_clip.right() && y >= m_clip.y && y < m_clip.bottom()) {
            span_at(x, y, 1)[0] = colour;
        }
        rest += 2 * static_cast<u64>(rise);
        if (rest >= twice) {
            rest -= twice;
            minor += minor_step;
        }
    }
}

void Surface::glyph(
    Point to, Font const& font, std::span<u8 const> shape, Rgb foreground, Rgb background) {
    CHECK(shape.size() == font.glyph_bytes());
    Rectangle const whole{to.x, to.y, font.width, font.height};
    if (m_clip.contains(whole)) [[likely]] {
        std::span<u32> const first = span_at(to.x, to.y, font.width);
        m_kernels->glyph(
            first.data(), m_stride, shape.data(), font.row_bytes(), font.height, foreground,
            background);
        return;
    }
    Rectangle const seen = intersection(whole, m_clip);
    for (u32 row = 0; row < seen.height; ++row) {
        i64 const y = i64{seen.y} + row;
        std::span<u32> const pixels = span_at(seen.x, y, seen.width);
        for (u32 column = 0; column < seen.width; ++column) {
            u32 const across = static_cast<u32>(seen.x - i64{to.x}) + column;
            usize const byte = static_cast<usize>(y - to.y) * font.row_bytes() + across / 8;
            bool const is_set = (shape[byte] >> (7 - across % 8) & 1) != 0;
            pixels[column] = is_set ? foreground : background;
        }
    }
}

i32 Surface::text(
    Point to,
    Font const& font,
    std::string_view utf8,
    Rgb foreground,
    Rgb background,
    Weight weight) {
    Utf8Decoder decoder;
    i64 x = to.x;
    auto const draw = [&](CodePoint point) {
        u32 const cells = width_of(point);
        if (cells > 0 && x < m_clip.right()) {
            Point const at{static_cast<i32>(x), to.y};
            glyph(at, font, font.glyph(font.find(point), weight), foreground, background);
        }
        if (cells == 2 && x + font.width < m_clip.right()) {
            fill(
                between(x + font.width, to.y, x + 2 * i64{font.width}, i64{to.y} + font.height),
                background);
        }
        x += i64{cells} * font.width;
    };
    for (char const byte : utf8) {
        Decoded const decoded = decoder.take(static_cast<u8>(byte));
        for (u32 i = 0; i < decoded.count; ++i) {
            draw(decoded.items[i]);
        }
    }
    if (decoder.finish() > 0) {
        draw(replacement_character);
    }
    constexpr i64 last = 0x7FFF'FFFF;
    return static_cast<i32>(std::min(x, last));
}

void Surface::image(Point to, Image const& image) {
    CHECK(image.pixels.size() >= usize{image.width} * image.height);
    Rectangle const seen = intersection({to.x, to.y, image.width, image.height}, m_clip);
    for (u32 row = 0; row < seen.height; ++row) {
        i64 const y = i64{seen.y} + row;
        std::span<u32> const pixels = span_at(seen.x, y, seen.width);
        usize const at =
            static_cast<usize>(y - to.y) * image.width + static_cast<usize>(seen.x - i64{to.x});
        m_kernels->blend(pixels.data(), image.pixels.subspan(at, seen.width).data(), seen.width);
    }
}

} // namespace twofold::text
