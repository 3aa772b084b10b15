// Painter: the differences between two frames as motions, glyphs and erasures.
#include "apps/shell/painter.hpp"

#include "apps/shell/sequences.hpp"

namespace twofold::shell {

void Painter::write(std::string_view bytes) {
    if (m_buffer.view().size() + bytes.size() > sizeof m_storage) {
        flush();
    }
    if (bytes.size() > sizeof m_storage) {
        m_output.write(bytes);
    } else {
        m_buffer.append(bytes);
    }
}

void Painter::flush() {
    if (!m_buffer.view().empty()) {
        m_output.write(m_buffer.view());
        m_buffer.clear();
    }
}

void Painter::paint(Frame& frame, std::string_view escapes, u32 columns) {
    m_columns = columns;
    for (u32 row = 0; row < frame.rows(); ++row) {
        paint_row(frame, row, escapes);
    }
    if (m_shown.rows() > frame.rows()) {
        move(frame.rows(), 0);
        write(erase_below);
    }
    set_style(style_plain, escapes);
    move(frame.cursor().row, frame.cursor().column);
    flush();
    std::swap(m_shown, frame);
}

void Painter::paint_row(Frame const& frame, u32 row, std::string_view escapes) {
    std::span<Glyph const> shown;
    u32 shown_end = 0;
    if (row < m_shown.rows()) {
        shown = m_shown.row(row);
        shown_end = m_shown.end_of_row(row);
    }
    for (Glyph const& glyph : frame.row(row)) {
        if (!is_shown(frame, glyph, shown)) {
            move(row, glyph.column);
            set_style(glyph.style, escapes);
            write(frame.bytes_of(glyph));
            m_column += glyph.width;
        }
    }
    u32 const end = frame.end_of_row(row);
    if (end < shown_end) {
        move(row, end);
        set_style(style_plain, escapes);
        write(erase_row_end);
    }
}

/// Whether the same glyph is there already; `shown` are the glyphs from there on.
bool Painter::is_shown(
    Frame const& frame, Glyph const& glyph, std::span<Glyph const>& shown) const {
    while (!shown.empty() && shown.front().column < glyph.column) {
        shown = shown.subspan(1);
    }
    if (shown.empty()) {
        return false;
    }
    Glyph const& there = shown.front();
    return there.column == glyph.column && there.style == glyph.style &&
           there.width == glyph.width && m_shown.bytes_of(there) == frame.bytes_of(glyph);
}

void Painter::move(u32 row, u32 column) {
    if (row != m_row) {
        set_style(style_plain, {}); // rows that come in by a line feed have the background in use
    }
    while (m_row < row) {
        write("\r\n");
        ++m_row;
        m_column = 0;
    }
    bool const is_waiting = m_column == m_columns && (m_row != row || m_column != column);
    if (is_waiting) {
        write("\r");
        m_column = 0;
    }
    if (m_row > row) {
        move_by(m_row - row, 'A');
        m_row = row;
    }
    move_in_row(column);
}

void Painter::move_in_row(u32 column) {
    constexpr u32 backspaces_max = 3; // a sequence is not shorter
    if (column > m_column) {
        move_by(column - m_column, 'C');
    } else if (column < m_column && column == 0) {
        write("\r");
    } else if (m_column - column > backspaces_max) {
        move_by(m_column - column, 'D');
    } else {
        write(slice("\b\b\b", 0, m_column - column));
    }
    m_column = column;
}

void Painter::move_by(u32 count, char final) {
    char sequence[16];
    write(
        count == 1 ? format_to(std::span(sequence), "\x1B[{}", final).text
                   : format_to(std::span(sequence), "\x1B[{}{}", count, final).text);
}

void Painter::set_style(Style style, std::string_view escapes) {
    if (style == m_style) {
        return;
    }
    write(style == style_hint ? hint_sequence : plain_sequence);
    if (style >= style_escapes) {
        write(slice(escapes, 0, style - style_escapes));
    }
    m_style = style;
}

void Painter::hide() {
    move(0, 0);
    write(erase_below);
    flush();
    forget();
}

void Painter::hide_resized() {
    write("\r");
    if (m_row > 0) {
        move_by(m_row, 'A');
    }
    write(erase_below);
    flush();
    forget();
}

void Painter::leave() {
    u32 const last = m_shown.rows() > 0 ? m_shown.rows() - 1 : 0;
    move(last, m_row == last ? m_column : 0);
    write("\r\n");
    flush();
    forget();
}

void Painter::forget() {
    m_shown.clear();
    m_row = 0;
    m_column = 0;
    m_style = style_plain;
}

void Painter::send(std::string_view bytes) {
    write(bytes);
    flush();
}

void Painter::print_row(std::string_view text) {
    write(text);
    write("\r\n");
    flush();
}

/// As many blanks as there are columns but one leave a cursor at the beginning of a row in that
/// row, and take any other one to the next (zsh's PROMPT_SP).
void Painter::seek_empty_row(u32 columns) {
    for (u32 i = 1; i < columns; ++i) {
        write(" ");
    }
    write("\r");
    write(erase_below);
    flush();
    forget();
}

void Painter::clear_screen() {
    set_style(style_plain, {});
    write(clear_all);
    flush();
    forget();
}

} // namespace twofold::shell
