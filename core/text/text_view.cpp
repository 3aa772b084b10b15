// Drawing a screen: which cells, in which order; and a cell.
#include "core/text/text_view.hpp"

#include <algorithm>

namespace twofold::text {

namespace {

/// The most bytes of a glyph that is changed before it is drawn.
constexpr usize shape_bytes_max = 64;

/// Half of the one and half of the other, colour by colour.
constexpr Rgb middle(Rgb a, Rgb b) {
    return (a >> 1 & 0x7F'7F7F) + (b >> 1 & 0x7F'7F7F);
}

/// What a cell's looks come to. Neighbours mostly look alike, so the last answer is kept.
struct Looks {
    Theme const& theme;
    bool blinking_shown;
    Colour foreground{~0u};
    Colour background{~0u};
    Attributes attributes = Attributes::none;
    Rgb ink = 0;
    Rgb ground = 0;

    void become(Cell const& cell) {
        if (cell.foreground() == foreground && cell.background() == background &&
            cell.attributes() == attributes) [[likely]] {
            return;
        }
        foreground = cell.foreground();
        background = cell.background();
        attributes = cell.attributes();
        ink = theme.rgb(foreground, theme.text);
        ground = theme.rgb(background, theme.background);
        if (has(attributes, Attributes::inverse)) {
            std::swap(ink, ground);
        }
        if (has(attributes, Attributes::faint)) {
            ink = middle(ink, ground);
        }
        bool const is_off = has(attributes, Attributes::blink) && !blinking_shown;
        if (has(attributes, Attributes::hidden) || is_off) {
            ink = ground;
        }
    }
};

constexpr Attributes lines = Attributes::underline | Attributes::strike;

/// Whether a cell is ground alone.
bool is_empty(Cell const& cell) {
    bool const has_letter = cell.point() != 0 && cell.point() != ' ';
    return !has_letter && !has(cell.attributes(), lines) && cell.mark(0) == 0;
}

/// A glyph as it can be changed: its rows, each as one number.
struct Shape {
    u8 bytes[shape_bytes_max] = {};

    static u32 read(std::span<u8 const> row) {
        u32 bits = 0;
        for (u8 const byte : row) {
            bits = bits << 8 | byte;
        }
        return bits;
    }
    static void write(std::span<u8> row, u32 bits) {
        for (usize i = row.size(); i-- > 0; bits >>= 8) {
            row[i] = static_cast<u8>(bits);
        }
    }
};

/// Leans a glyph: rows above the middle go to the right, those below to the left.
void lean(std::span<u8> shape, Font const& font) {
    u32 const step = font.width / 8;
    for (u32 row = 0; row < font.height; ++row) {
        std::span<u8> const bytes = shape.subspan(usize{row} * font.row_bytes(), font.row_bytes());
        u32 const bits = Shape::read(bytes);
        u32 const third = row * 3 / font.height;
        Shape::write(bytes, third == 0 ? bits >> step : third == 2 ? bits << step : bits);
    }
}

/// Sets all pixels of some rows.
void rule(std::span<u8> shape, Font const& font, u32 row) {
    usize const thickness = usize{font.height / 16} * font.row_bytes();
    std::span<u8> const bytes = shape.subspan(usize{row} * font.row_bytes(), thickness);
    std::fill(bytes.begin(), bytes.end(), u8{0xFF});
}

/// The least range around a range and a column.
ColumnRange around(ColumnRange const& range, u32 column) {
    ColumnRange const one{static_cast<u16>(column), static_cast<u16>(column + 1)};
    if (range.empty()) {
        return one;
    }
    return {std::min(range.first, one.first), std::max(range.end, one.end)};
}

void add(DrawnRectangles& drawn, Rectangle const& area) {
    if (area.empty()) {
        return;
    }
    if (!drawn.empty()) {
        Rectangle& last = drawn.back();
        bool const is_below =
            last.x == area.x && last.width == area.width && last.bottom() == area.y;
        if (is_below || drawn.full()) {
            last = around(last, area);
            return;
        }
    }
    drawn.push_back(area).value();
}

} // namespace

ScreenSize TextView::cells_of(Surface const& surface, Font const& font) {
    return {
        std::clamp(surface.width() / font.width, 1u, columns_max),
        std::clamp(surface.height() / font.height, 1u, rows_max)};
}

Rectangle TextView::pixels_of(u32 row, u32 from, u32 to) const {
    return {
        static_cast<i32>(from * m_font->width), static_cast<i32>(row * m_font->height),
        (to - from) * m_font->width, m_font->height};
}

std::span<Cell const> TextView::cells_of_row(Screen const& screen, u32 row) const {
    u32 const back = std::min(m_back, screen.history_size());
    return row < back ? screen.history_row(screen.history_size() - back + row)
                      : screen.row(row - back);
}

TextView::CursorPlace TextView::cursor_of(Screen const& screen) const {
    u32 const back = std::min(m_back, screen.history_size());
    Cursor const& cursor = screen.cursor();
    u32 const row = cursor.row + back;
    bool const shown = screen.cursor_is_visible() && row < screen.size().rows;
    return {row, cursor.column, screen.cursor_shape(), shown};
}

/// The columns of a row that are to be drawn: what changed, and where the cursor was.
ColumnRange TextView::range_of(Screen const& screen, u32 row, CursorPlace const& cursor) const {
    if (m_all) {
        return {0, static_cast<u16>(screen.size().columns)};
    }
    ColumnRange range = screen.damage(row);
    auto const include = [&](u32 column) { range = around(range, column); };
    bool const has_moved = cursor != m_cursor;
    if (m_cursor.shown && m_cursor.row == row && has_moved) {
        include(m_cursor.column);
    }
    if (cursor.shown && cursor.row == row && has_moved) {
        include(cursor.column);
    }
    if (m_blink_changed) {
        std::span<Cell const> const cells = cells_of_row(screen, row);
        for (u32 column = 0; column < cells.size(); ++column) {
            if (has(cells[column].attributes(), Attributes::blink)) {
                include(column);
            }
        }
    }
    return range;
}

/// Moves the pixels of what went up. The picture of the cursor goes with them; where it comes to
/// lie is drawn anew.
void TextView::follow_scroll(Screen& screen, Surface& surface, DrawnRectangles& drawn) {
    Scroll const scroll = screen.scroll();
    u32 const height = scroll.bottom - scroll.top;
    if (m_all || scroll.lines == 0 || scroll.lines >= height) {
        return;
    }
    u32 const columns = screen.size().columns;
    Rectangle source = pixels_of(scroll.top + scroll.lines, 0, columns);
    source.height = (height - scroll.lines) * m_font->height;
    Rectangle const target = pixels_of(scroll.top, 0, columns);
    surface.blit({target.x, target.y}, surface, source);
    std::span<u16> const ends = std::span(m_ends).subspan(scroll.top, height);
    std::copy(ends.begin() + scroll.lines, ends.end(), ends.begin());
    add(drawn, intersection({target.x, target.y, source.width, source.height}, surface.bounds()));
    bool const went_along = m_cursor.row >= scroll.top && m_cursor.row < scroll.bottom;
    if (m_cursor.shown && went_along) {
        bool const is_left = m_cursor.row >= scroll.top + scroll.lines;
        m_cursor.shown = is_left;
        m_cursor.row -= is_left ? scroll.lines : 0;
    }
}

/// Whether a cell looks like what is right of all text.
bool TextView::is_ground(Cell const& cell) const {
    return is_empty(cell) && cell.background() == Colour{} &&
           !has(cell.attributes(), Attributes::inverse);
}

/// Draws a range of a row, and returns what of it was touched: ground is not drawn on ground, which
/// spares most of the pixels where lines are short.
ColumnRange
TextView::draw_range(Surface& surface, std::span<Cell const> cells, u32 row, ColumnRange range) {
    u16 used = range.end;
    while (used > range.first && is_ground(cells[used - 1])) {
        --used;
    }
    u16& end = m_ends[row];
    u16 const touched = std::max(used, std::min(range.end, end));
    if (touched > range.first) {
        draw_cells(surface, cells, row, range.first, touched);
    }
    if (range.end >= end) {
        end = used > range.first ? used : std::min(end, range.first);
    }
    return {range.first, touched};
}

DrawnRectangles TextView::draw(Screen& screen, Surface& surface) {
    DrawnRectangles drawn;
    bool const has_changed = m_back > 0 && screen.has_damage();
    m_all = m_all || has_changed; // what is shown of the history moves with every row
    if (m_all) {
        std::fill(std::begin(m_ends), std::end(m_ends), static_cast<u16>(screen.size().columns));
    }
    follow_scroll(screen, surface, drawn);
    CursorPlace const cursor = cursor_of(screen);
    Rectangle const bounds = surface.bounds();
    for (u32 row = 0; row < screen.size().rows; ++row) {
        ColumnRange const range = range_of(screen, row, cursor);
        if (range.empty()) {
            continue;
        }
        std::span<Cell const> const cells = cells_of_row(screen, row);
        ColumnRange touched = draw_range(surface, cells, row, range);
        bool const is_within =
            cursor.row == row && cursor.column >= range.first && cursor.column < range.end;
        if (cursor.shown && is_within) {
            draw_cursor(surface, cells, cursor);
            touched = around(touched, cursor.column);
            m_ends[row] = std::max(m_ends[row], touched.end);
        }
        if (!touched.empty()) {
            add(drawn, intersection(pixels_of(row, touched.first, touched.end), bounds));
        }
    }
    if (m_all) {
        fill_margins(screen.size(), surface);
        drawn.clear();
        add(drawn, bounds);
    }
    m_all = false;
    m_blink_changed = false;
    m_cursor = cursor;
    screen.clear_damage();
    return drawn;
}

/// What lies right of the last column and below the last row.
void TextView::fill_margins(ScreenSize size, Surface& surface) {
    u32 const right = size.columns * m_font->width;
    u32 const bottom = size.rows * m_font->height;
    Rectangle const below{0, static_cast<i32>(bottom), surface.width(), surface.height()};
    surface.fill({static_cast<i32>(right), 0, surface.width(), bottom}, m_theme->background);
    surface.fill(below, m_theme->background);
}

void TextView::draw_cells(
    Surface& surface, std::span<Cell const> cells, u32 row, u32 from, u32 to) {
    Looks looks{*m_theme, m_blinking_shown};
    for (u32 column = from; column < to;) {
        looks.become(cells[column]);
        u32 end = column + 1;
        if (!is_empty(cells[column])) {
            Rectangle const area = pixels_of(row, column, end);
            draw_cell(surface, cells[column], {area.x, area.y}, looks.ink, looks.ground);
            column = end;
            continue;
        }
        Rgb const ground = looks.ground;
        while (end < to && is_empty(cells[end])) {
            looks.become(cells[end]);
            if (looks.ground != ground) {
                break;
            }
            ++end;
        }
        surface.fill(pixels_of(row, column, end), ground);
        column = end;
    }
}

void TextView::draw_cell(Surface& surface, Cell const& cell, Point at, Rgb ink, Rgb ground) {
    using enum Attributes;
    Font const& font = *m_font;
    Attributes const attributes = cell.attributes();
    Weight const weight = has(attributes, bold) ? Weight::bold : Weight::regular;
    bool const has_letter = cell.point() != 0;
    std::span<u8 const> const glyph =
        font.glyph(font.find(has_letter ? cell.point() : ' '), weight);
    if (!has(attributes, italic | lines) && cell.mark(0) == 0) [[likely]] {
        surface.glyph(at, font, glyph, ink, ground);
        return;
    }
    Shape changed;
    CHECK(glyph.size() <= shape_bytes_max);
    std::span<u8> const shape = std::span<u8>(changed.bytes).first(glyph.size());
    std::copy(glyph.begin(), glyph.end(), shape.begin());
    for (u32 i = 0; i < Cell::marks_max && cell.mark(i) != 0; ++i) {
        if (u32 const mark = font.find(cell.mark(i)); mark != 0) {
            std::span<u8 const> const over = font.glyph(mark, weight);
            std::transform(over.begin(), over.end(), shape.begin(), shape.begin(), [](u8 a, u8 b) {
                return static_cast<u8>(a | b);
            });
        }
    }
    if (has(attributes, italic)) {
        lean(shape, font);
    }
    if (has(attributes, underline)) {
        rule(shape, font, font.height - font.height / 8);
    }
    if (has(attributes, strike)) {
        rule(shape, font, font.height / 2);
    }
    surface.glyph(at, font, shape, ink, ground);
}

/// A block shows the cell in the ground's colour on the cursor's; the others are bars over it.
void TextView::draw_cursor(
    Surface& surface, std::span<Cell const> cells, CursorPlace const& cursor) {
    Rectangle area = pixels_of(cursor.row, cursor.column, cursor.column + 1);
    switch (cursor.shape) {
    case CursorShape::block: {
        Cell const& cell = cells[cursor.column];
        draw_cell(surface, cell, {area.x, area.y}, m_theme->background, m_theme->cursor);
        return;
    }
    case CursorShape::underline:
        area.y += static_cast<i32>(m_font->height - m_font->height / 8);
        area.height = m_font->height / 8;
        break;
    case CursorShape::bar:
        area.width = m_font->width / 4;
        break;
    }
    surface.fill(area, m_theme->cursor);
}

} // namespace twofold::text
