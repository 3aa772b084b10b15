// The screen's cells: writing, erasing, shifting, tab stops.
#include "core/text/screen.hpp"

#include <algorithm>

namespace twofold::text {

/// Makes the boundary before a column one between characters: a wide one that lies across it goes.
void Screen::split(u32 row, u32 column) {
    if (column == 0 || column >= m_size.columns) {
        return;
    }
    std::span<Cell> const cells = line(row);
    if (cells[column].part() != CellPart::tail) [[likely]] {
        return;
    }
    for (u32 const half : {column - 1, column}) {
        cells[half] = Cell::blank(cells[half].background());
        damage_columns(row, half, half + 1);
    }
}

template<class Text>
void Screen::write_run(u32 row, u32 column, Text text, Pen const& pen) {
    CHECK(text.size() <= m_size.columns - column);
    u32 const end = column + static_cast<u32>(text.size());
    split(row, column);
    split(row, end);
    Cell cell(0, pen);
    std::span<Cell> const cells = line(row).subspan(column, text.size());
    for (usize i = 0; i < cells.size(); ++i) {
        cell.set_point(static_cast<CodePoint>(text[i]));
        cells[i] = cell;
    }
    damage_columns(row, column, end);
}

void Screen::write(u32 row, u32 column, std::string_view text, Pen const& pen) {
    write_run(row, column, text, pen);
}

void Screen::write(u32 row, u32 column, std::span<CodePoint const> text, Pen const& pen) {
    write_run(row, column, text, pen);
}

void Screen::write(u32 row, u32 column, CodePoint point, u32 width, Pen const& pen) {
    CHECK((width == 1 || width == 2) && column + width <= m_size.columns);
    split(row, column);
    split(row, column + width);
    std::span<Cell> const cells = line(row);
    cells[column] = Cell(point, pen, width == 2 ? CellPart::lead : CellPart::whole);
    if (width == 2) {
        cells[column + 1] = Cell(0, pen, CellPart::tail);
    }
    damage_columns(row, column, column + width);
}

void Screen::add_mark(u32 row, u32 column, CodePoint mark) {
    std::span<Cell> const cells = line(row);
    bool const is_tail = cells[column].part() == CellPart::tail;
    u32 const at = is_tail ? column - 1 : column;
    if (cells[at].point() != 0) {
        cells[at].add_mark(mark);
        damage_columns(row, at, column + 1);
    }
}

void Screen::erase(u32 row, u32 from, u32 to, Colour background) {
    CHECK(from <= to && to <= m_size.columns);
    split(row, from);
    split(row, to);
    std::span<Cell> const cells = line(row).subspan(from, to - from);
    std::fill(cells.begin(), cells.end(), Cell::blank(background));
    damage_columns(row, from, to);
    if (to == m_size.columns) {
        set_wrapped(row, false);
    }
}

void Screen::erase_rows(u32 from, u32 to, Colour background) {
    for (u32 row = from; row < to; ++row) {
        erase(row, 0, m_size.columns, background);
    }
}

void Screen::insert_cells(u32 row, u32 column, u32 count, Colour background) {
    count = std::min(count, m_size.columns - column);
    u32 const kept = m_size.columns - count;
    split(row, column);
    split(row, kept);
    std::span<Cell> const cells = line(row);
    std::copy_backward(cells.begin() + column, cells.begin() + kept, cells.end());
    damage_columns(row, column, m_size.columns);
    erase(row, column, column + count, background);
    set_wrapped(row, false);
}

void Screen::delete_cells(u32 row, u32 column, u32 count, Colour background) {
    count = std::min(count, m_size.columns - column);
    split(row, column);
    split(row, column + count);
    std::span<Cell> const cells = line(row);
    std::copy(cells.begin() + column + count, cells.end(), cells.begin() + column);
    damage_columns(row, column, m_size.columns);
    // What stood at the end was moved whole, so nothing lies across the boundary but in the copy.
    std::span<Cell> const blanks = cells.last(count);
    std::fill(blanks.begin(), blanks.end(), Cell::blank(background));
    set_wrapped(row, false);
}

void Screen::fill(CodePoint point) {
    for (u32 row = 0; row < m_size.rows; ++row) {
        std::span<Cell> const cells = line(row);
        std::fill(cells.begin(), cells.end(), Cell(point, {}));
        set_wrapped(row, false);
    }
    damage_all();
}

void Screen::clear_tabs() {
    std::fill(m_tabs.begin(), m_tabs.end(), u8{0});
}

void Screen::set_default_tabs() {
    for (u32 column = 0; column < m_size.columns; ++column) {
        set_tab(column, column > 0 && column % tab_distance == 0);
    }
}

u32 Screen::next_tab(u32 column) const {
    u32 next = column + 1;
    while (next < m_size.columns && m_tabs[next] == 0) {
        ++next;
    }
    return std::min(next, m_size.columns - 1);
}

u32 Screen::previous_tab(u32 column) const {
    while (column > 0) {
        --column;
        if (m_tabs[column] != 0) {
            break;
        }
    }
    return column;
}

} // namespace twofold::text
