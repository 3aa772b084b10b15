// TextView: keeps a surface equal to a screen. It draws what has changed since it drew last, and
// says which rectangles these were, so that whoever presents them moves no more.
//
// A view follows one screen onto one surface; `redraw` after either was exchanged. Pure; the font
// and the theme outlive it; no thread safety.
#pragma once

#include "core/text/screen.hpp"
#include "core/text/surface.hpp"

namespace twofold::text {

inline constexpr usize drawn_rectangles_max = 32;
/// Where there are more, the last one is the least around the rest.
using DrawnRectangles = FixedVector<Rectangle, drawn_rectangles_max>;

class TextView {
public:
    TextView(Font const& font, Theme const& theme) : m_font(&font), m_theme(&theme) {}

    /// How many cells a surface holds: one at least, though it may be cut. O(1).
    static ScreenSize cells_of(Surface const& surface, Font const& font);

    void set_font(Font const& font) {
        m_font = &font;
        redraw();
    }
    void set_theme(Theme const& theme) {
        m_theme = &theme;
        redraw();
    }
    /// Everything is drawn next time.
    void redraw() { m_all = true; }
    /// Shows or hides what blinks; the owner has the clock.
    void show_blinking(bool shown) {
        m_blink_changed = m_blink_changed || shown != m_blinking_shown;
        m_blinking_shown = shown;
    }
    /// Shows the screen as it was `rows` rows ago, as far as the history reaches. 0: as it is.
    void look_back(u32 rows) {
        m_all = m_all || rows != m_back;
        m_back = rows;
    }

    /// Draws what changed, clears the screen's damage, and answers what was drawn; disjoint unless
    /// there was too much to tell apart. O(what changed) in cells and pixels; a scroll costs at
    /// most as much as to draw all.
    DrawnRectangles draw(Screen& screen, Surface& surface);

private:
    /// Where a cursor was drawn.
    struct CursorPlace {
        u32 row = 0;
        u32 column = 0;
        CursorShape shape = CursorShape::block;
        bool shown = false;
        constexpr bool operator==(CursorPlace const&) const = default;
    };

    std::span<Cell const> cells_of_row(Screen const& screen, u32 row) const;
    CursorPlace cursor_of(Screen const& screen) const;
    void follow_scroll(Screen& screen, Surface& surface, DrawnRectangles& drawn);
    ColumnRange range_of(Screen const& screen, u32 row, CursorPlace const& cursor) const;
    bool is_ground(Cell const& cell) const;
    ColumnRange
    draw_range(Surface& surface, std::span<Cell const> cells, u32 row, ColumnRange range);
    void draw_cells(Surface& surface, std::span<Cell const> cells, u32 row, u32 from, u32 to);
    void draw_cell(Surface& surface, Cell const& cell, Point at, Rgb ink, Rgb ground);
    void draw_cursor(Surface& surface, std::span<Cell const> cells, CursorPlace const& cursor);
    void fill_margins(ScreenSize size, Surface& surface);
    Rectangle pixels_of(u32 row, u32 from, u32 to) const;

    Font const* m_font;
    Theme const* m_theme;
    bool m_all = true;
    bool m_blinking_shown = true;
    bool m_blink_changed = false;
    u32 m_back = 0;
    CursorPlace m_cursor;
    /// Of each row: from this column on, the surface holds nothing but the theme's ground.
    u16 m_ends[rows_max] = {};
};

} // namespace twofold::text
