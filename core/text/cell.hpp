// A cell of a screen: what is to be seen in one place of the grid, in 16 bytes. Pure.
#pragma once

#include "core/text/utf8_decoder.hpp"

#include <bit>

namespace twofold::text {

/// A colour as a terminal names it. The theme decides what the first two kinds look like.
struct Colour {
    enum class Kind : u8 { standard, palette, direct };

    static constexpr Colour palette(u8 index) { return {1u << 24 | index}; }
    static constexpr Colour direct(u8 red, u8 green, u8 blue) {
        return {2u << 24 | u32{red} << 16 | u32{green} << 8 | blue};
    }

    constexpr Kind kind() const { return static_cast<Kind>(bits >> 24); }
    constexpr u8 index() const { return static_cast<u8>(bits); }
    constexpr u32 rgb() const { return bits & 0xFF'FFFF; }
    constexpr bool operator==(Colour const&) const = default;

    u32 bits = 0; ///< the kind in the top byte; 0: the theme's own text or background
};

/// Select Graphic Rendition, as flags of a cell.
enum class Attributes : u8 {
    none = 0,
    bold = 1,
    faint = 2,
    italic = 4,
    underline = 8,
    blink = 16,
    inverse = 32,
    hidden = 64,
    strike = 128,
};
constexpr Attributes operator|(Attributes a, Attributes b) {
    return static_cast<Attributes>(static_cast<u8>(a) | static_cast<u8>(b));
}
constexpr Attributes without(Attributes a, Attributes b) {
    return static_cast<Attributes>(static_cast<u8>(a) & ~static_cast<u8>(b));
}
constexpr bool has(Attributes a, Attributes b) {
    return (static_cast<u8>(a) & static_cast<u8>(b)) != 0;
}

/// How new cells look.
struct Pen {
    Colour foreground = {};
    Colour background = {};
    Attributes attributes = Attributes::none;
    constexpr bool operator==(Pen const&) const = default;
};

/// What part of a character a cell is: all of it, or a half of a wide one.
enum class CellPart : u8 { whole, lead, tail };

struct Cell {
    static constexpr u32 marks_max = 2;

    constexpr Cell() = default;
    constexpr Cell(CodePoint point, Pen const& pen, CellPart part = CellPart::whole)
        : m_bits(
              point | u32{static_cast<u8>(pen.attributes)} << 21 |
              u32{static_cast<u8>(part)} << 29),
          m_foreground(pen.foreground),
          m_background(pen.background) {}

    /// What erasing leaves: nothing, on a background.
    static constexpr Cell blank(Colour background) {
        Cell cell;
        cell.m_background = background;
        return cell;
    }

    /// 0 where nothing was written.
    constexpr CodePoint point() const { return m_bits & 0x1F'FFFF; }
    constexpr Attributes attributes() const { return static_cast<Attributes>(m_bits >> 21 & 0xFF); }
    constexpr CellPart part() const { return static_cast<CellPart>(m_bits >> 29); }
    constexpr Colour foreground() const { return m_foreground; }
    constexpr Colour background() const { return m_background; }
    /// Combining marks in their order; 0 where there is none.
    constexpr u16 mark(u32 index) const { return m_marks[index]; }

    constexpr void set_point(CodePoint point) { m_bits = (m_bits & ~0x1F'FFFFu) | point; }
    /// Adds a mark of the Basic Multilingual Plane. What does not fit is dropped.
    constexpr void add_mark(CodePoint mark) {
        for (u16& place : m_marks) {
            if (place == 0 && mark <= 0xFFFF) {
                place = static_cast<u16>(mark);
                return;
            }
        }
    }
    constexpr bool operator==(Cell const&) const = default;

private:
    u32 m_bits = 0; ///< code point, attributes, part
    Colour m_foreground;
    Colour m_background;
    u16 m_marks[marks_max] = {};
};
static_assert(sizeof(Cell) == 16);

} // namespace twofold::text
