// The screen's making, its planes, and how rows scroll.
#include "core/text/screen.hpp"

#include <algorithm>

namespace twofold::text {

namespace {

u64 slot_count(ScreenSize size, u32 history_rows) {
    return u64{2} * size.rows + history_rows;
}

bool is_possible(ScreenSize size, u32 history_rows) {
    return size.columns >= 1 && size.columns <= columns_max && size.rows >= 1 &&
           size.rows <= rows_max && history_rows <= history_rows_max;
}

/// Moves all but the first `count` items to the front; the first come behind them. O(items), and
/// one pass for the usual count of 1.
void rotate(std::span<u32> items, u32 count) {
    if (count == 1) {
        u32 const first = items.front();
        std::copy(items.begin() + 1, items.end(), items.begin());
        items.back() = first;
        return;
    }
    std::rotate(items.begin(), items.begin() + count, items.end());
}

} // namespace

Bytes Screen::bytes_needed(ScreenSize size, u32 history_rows) {
    u64 const slots = slot_count(size, history_rows);
    u64 const cells = slots * size.columns * sizeof(Cell);
    u64 const order = (u64{planes} * size.rows + history_rows) * sizeof(u32);
    u64 const rows = slots + size.rows * sizeof(ColumnRange) + size.columns;
    constexpr u64 paddings = 6 * alignof(u64);
    return {cells + order + rows + paddings};
}

Result<Screen> Screen::create(std::span<std::byte> memory, ScreenSize size, u32 history_rows) {
    if (!is_possible(size, history_rows)) {
        return Error::out_of_range;
    }
    u64 const slots = slot_count(size, history_rows);
    StorageCursor storage(memory);
    Screen screen;
    screen.m_size = size;
    screen.m_cells = TRY(storage.take<Cell>(slots * size.columns));
    screen.m_order = TRY(storage.take<u32>(usize{planes} * size.rows));
    screen.m_history = TRY(storage.take<u32>(history_rows));
    screen.m_damage = TRY(storage.take<ColumnRange>(size.rows));
    screen.m_wrapped = TRY(storage.take<u8>(slots));
    screen.m_tabs = TRY(storage.take<u8>(size.columns));
    u32 slot = 0;
    for (std::span<u32> const places : {screen.m_order, screen.m_history}) {
        for (u32& place : places) {
            place = slot++;
        }
    }
    CHECK(slot == slots);
    screen.set_margins(0, size.rows);
    screen.set_default_tabs();
    screen.damage_all();
    return screen;
}

void Screen::reset() {
    std::fill(m_cells.begin(), m_cells.end(), Cell{});
    std::fill(m_wrapped.begin(), m_wrapped.end(), u8{0});
    m_plane = Plane::primary;
    m_cursor = {};
    for (Cursor& saved : m_saved) {
        saved = {};
    }
    m_cursor_visible = true;
    m_cursor_shape = CursorShape::block;
    clear_history();
    set_margins(0, m_size.rows);
    set_default_tabs();
    damage_all();
}

void Screen::set_cursor(Cursor const& cursor) {
    m_cursor.row = std::min(cursor.row, m_size.rows - 1);
    m_cursor.column = std::min(cursor.column, m_size.columns - 1);
    m_cursor.wraps = cursor.wraps && m_cursor.column == m_size.columns - 1;
}

void Screen::set_margins(u32 top, u32 bottom) {
    CHECK(top < bottom && bottom <= m_size.rows);
    m_margin_top = top;
    m_margin_bottom = bottom;
}

void Screen::select(Plane plane) {
    if (plane != m_plane) {
        m_plane = plane;
        damage_all();
    }
}

bool Screen::has_damage() const {
    return m_scroll.lines > 0 ||
           std::any_of(m_damage.begin(), m_damage.end(), [](ColumnRange const& range) {
               return !range.empty();
           });
}

void Screen::clear_damage() {
    std::fill(m_damage.begin(), m_damage.end(), ColumnRange{});
    m_scroll = {};
}

void Screen::damage_rows(u32 from, u32 to) {
    for (u32 row = from; row < to; ++row) {
        damage_columns(row, 0, m_size.columns);
    }
}

/// Rows [top, bottom) are about to go up: their damage goes with them. A scroll of another region
/// takes the place of the one before, whose rows then count as changed.
void Screen::note_scroll(u32 top, u32 bottom, u32 lines) {
    if (m_scroll.lines > 0 && (m_scroll.top != top || m_scroll.bottom != bottom)) {
        damage_rows(m_scroll.top, m_scroll.bottom);
        m_scroll = {};
    }
    u32 const height = bottom - top;
    u32 const before = m_scroll.lines;
    m_scroll = {top, bottom, std::min(height, before + lines)};
    if (before < height) { // else all of it has changed already
        std::copy(
            m_damage.begin() + top + lines, m_damage.begin() + bottom, m_damage.begin() + top);
        std::fill(
            m_damage.begin() + (bottom - lines), m_damage.begin() + bottom,
            ColumnRange{0, static_cast<u16>(m_size.columns)});
    }
}

void Screen::blank_slot(u32 slot, Colour background) {
    std::span<Cell> const cells = slot_cells(slot);
    std::fill(cells.begin(), cells.end(), Cell::blank(background));
    m_wrapped[slot] = 0;
}

/// Gives a slot to the history, and returns the one that was there: free, or its oldest row.
u32 Screen::keep_in_history(u32 slot) {
    u32 const free = m_history[m_history_next];
    m_history[m_history_next] = slot;
    m_history_next = m_history_next + 1 == m_history.size() ? 0 : m_history_next + 1;
    m_history_size = std::min(m_history_size + 1, history_capacity());
    return free;
}

void Screen::scroll_up(
    u32 top, u32 bottom, u32 lines, Colour background, ScrolledOut scrolled_out) {
    CHECK(top < bottom && bottom <= m_size.rows);
    lines = std::min(lines, bottom - top);
    if (lines == 0) {
        return;
    }
    std::span<u32> const rows = order().subspan(top, bottom - top);
    bool const kept = scrolled_out == ScrolledOut::kept && m_plane == Plane::primary && top == 0 &&
                      !m_history.empty();
    for (u32 at = 0; kept && at < lines; ++at) {
        rows[at] = keep_in_history(rows[at]);
    }
    rotate(rows, lines);
    note_scroll(top, bottom, lines);
    for (u32 const slot : rows.last(lines)) {
        blank_slot(slot, background);
    }
}

void Screen::scroll_down(u32 top, u32 bottom, u32 lines, Colour background) {
    CHECK(top < bottom && bottom <= m_size.rows);
    lines = std::min(lines, bottom - top);
    if (lines == 0) {
        return;
    }
    std::span<u32> const rows = order().subspan(top, bottom - top);
    std::rotate(rows.begin(), rows.end() - lines, rows.end());
    for (u32 const slot : rows.first(lines)) {
        blank_slot(slot, background);
    }
    damage_rows(top, bottom);
}

Result<void> Screen::verify() const {
    // With as many places as slots, one that stands in two places leaves another out, and the sums
    // of the numbers and of their squares tell.
    u64 sum = 0;
    u64 squares = 0;
    u64 const slots = m_wrapped.size();
    for (std::span<u32> const places : {m_order, m_history}) {
        for (u32 const slot : places) {
            if (slot >= slots) {
                return Error::corrupted;
            }
            sum += slot;
            squares += u64{slot} * slot;
        }
    }
    if (slots != m_order.size() + m_history.size() || sum != slots * (slots - 1) / 2 ||
        squares != (slots - 1) * slots * (2 * slots - 1) / 6) {
        return Error::corrupted;
    }
    for (u64 slot = 0; slot < slots; ++slot) {
        std::span<Cell const> const cells = slot_cells(static_cast<u32>(slot));
        for (u32 column = 0; column < m_size.columns; ++column) {
            bool const is_lead = cells[column].part() == CellPart::lead;
            bool const has_tail =
                column + 1 < m_size.columns && cells[column + 1].part() == CellPart::tail;
            if (is_lead != has_tail || (column == 0 && cells[0].part() == CellPart::tail)) {
                return Error::corrupted;
            }
        }
    }
    bool const is_inside = m_cursor.row < m_size.rows && m_cursor.column < m_size.columns &&
                           m_margin_top < m_margin_bottom && m_margin_bottom <= m_size.rows &&
                           m_history_size <= m_history.size();
    return is_inside ? Result<void>() : Error::corrupted;
}

} // namespace twofold::text
