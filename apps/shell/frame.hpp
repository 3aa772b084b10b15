// Frame: what the editor wants to be seen: rows of glyphs, each in its column. `compose` lays a
// prompt, a line, a hint and the rows below them out on a screen of any size; painter.hpp shows it.
//
// Where there are more rows than the screen has, the frame is a window that holds the cursor. Pure.
#pragma once

#include "apps/shell/glyphs.hpp"
#include "apps/shell/letters.hpp"

#include <span>

namespace twofold::shell {

/// How glyphs look. What is above `escapes` has the first bytes of a text of escape sequences for
/// its look (PromptEscapes).
using Style = u16;
inline constexpr Style style_plain = 0;
inline constexpr Style style_hint = 1;
inline constexpr Style style_escapes = 2;

/// What stands in one cell or two: a character with its marks.
struct Glyph {
    u32 offset; ///< of its bytes in the frame
    u16 column;
    Style style;
    u8 size;
    u8 width;
};

class Frame {
public:
    explicit Frame(AnyAllocator& allocator)
        : m_glyphs(allocator), m_row_ends(allocator), m_bytes(allocator) {}

    u32 rows() const { return static_cast<u32>(m_row_ends.size()); }
    std::span<Glyph const> row(u32 index) const {
        usize const begin = index == 0 ? 0 : m_row_ends[index - 1];
        return m_glyphs.items().subspan(begin, m_row_ends[index] - begin);
    }
    std::string_view bytes_of(Glyph const& glyph) const {
        return slice(m_bytes, glyph.offset, glyph.size);
    }
    /// The column behind the last glyph of a row.
    u32 end_of_row(u32 index) const {
        std::span<Glyph const> const glyphs = row(index);
        return glyphs.empty() ? 0 : u32{glyphs.back().column} + glyphs.back().width;
    }
    text::Cursor cursor() const { return m_cursor; }

    void clear();
    void set_cursor(u32 row, u32 column) { m_cursor = {row, column, false}; }
    /// A glyph behind all others, in the last row or below. Errors: those of allocate.
    Result<void> add(u32 row, u32 column, std::string_view bytes, u32 width, Style style);
    /// Empty rows, until there are that many. Errors: those of allocate.
    Result<void> extend(u32 rows);

private:
    memory::Vector<Glyph, AnyAllocator> m_glyphs;
    memory::Vector<u32, AnyAllocator> m_row_ends;
    Letters m_bytes;
    text::Cursor m_cursor;
};

/// What is to be seen.
struct Scene {
    std::string_view prompt; ///< may hold colours (SGR) and line feeds
    std::string_view continuation;
    Style continuation_style = style_plain; ///< what its escapes are counted from
    std::string_view line;
    usize cursor = 0;
    std::string_view hint;  ///< behind the line, in faint
    std::string_view below; ///< rows under the line, divided by line feeds; cut to the columns
};

/// The escape sequences that colour a prompt and the one of continued rows, one behind another.
/// Errors: those of allocate. `continuation_style` becomes what Scene wants to know.
Result<void> collect_escapes(
    std::string_view prompt,
    std::string_view continuation,
    Letters& escapes,
    Style& continuation_style);

/// Lays a scene out on a screen of at least one cell. `top` is the first row that was seen last
/// time, and becomes that of this time. Errors: those of allocate. O(scene).
Result<void> compose(Scene const& scene, text::ScreenSize size, u32& top, Frame& frame);

} // namespace twofold::shell
