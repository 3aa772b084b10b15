// What the terminal's controls and sequences do to the screen. Names in capitals are ECMA-48's and
// DEC's. Every motion and every edit takes back a wrap that is due, as in xterm.
#include "core/text/terminal.hpp"

#include <algorithm>

namespace twofold::text {

void Terminal::reset() {
    m_screen.reset();
    m_pen = {};
    m_modes = {};
    for (SavedStyle& saved : m_saved) {
        saved = {};
    }
    m_state = State::ground;
    m_decoder = {};
}

void Terminal::execute(u8 control) {
    Cursor const at = m_screen.cursor();
    switch (control) {
    case 0x07:
        ++m_bells;
        break;
    case 0x08:
        set_column(at.column == 0 ? 0 : at.column - 1);
        break;
    case 0x09:
        set_column(m_screen.next_tab(at.column));
        break;
    case 0x0A:
    case 0x0B:
    case 0x0C:
        line_feed();
        if (m_modes.new_line) {
            set_column(0);
        }
        break;
    case 0x0D:
        set_column(0);
        break;
    default:
        break;
    }
}

void Terminal::dispatch_escape(u8 final) {
    if (m_intermediate == '#' && final == '8') {
        align();
    }
    if (m_intermediate != 0) {
        return;
    }
    switch (final) {
    case '7':
        save_cursor();
        break;
    case '8':
        restore_cursor();
        break;
    case 'D':
        line_feed();
        break;
    case 'E':
        line_feed();
        set_column(0);
        break;
    case 'H':
        m_screen.set_tab(m_screen.cursor().column, true);
        break;
    case 'M':
        reverse_line_feed();
        break;
    case 'c':
        reset();
        break;
    default:
        break;
    }
}

void Terminal::dispatch_control(u8 final) {
    if (m_intermediate != 0) {
        if (m_intermediate == ' ' && final == 'q' && m_prefix == 0) {
            set_cursor_shape(parameter(0, 1));
        }
        return;
    }
    if (m_prefix == '?') {
        switch (final) {
        case 'h':
            set_private_modes(true);
            break;
        case 'l':
            set_private_modes(false);
            break;
        case 'n':
            report_status(parameter(0, 0), true);
            break;
        default:
            break;
        }
    } else if (m_prefix == 0) {
        dispatch_plain_control(final);
    }
}

void Terminal::dispatch_plain_control(u8 final) {
    switch (final) {
    case 'c':
        if (parameter(0, 0) == 0) {
            m_reports.write("\x1B[?6c"); // a VT102
        }
        break;
    case 'g':
        clear_tabs(parameter(0, 0));
        break;
    case 'h':
        set_modes(true);
        break;
    case 'l':
        set_modes(false);
        break;
    case 'm':
        select_rendition();
        break;
    case 'n':
        report_status(parameter(0, 0), false);
        break;
    case 'r':
        set_margins();
        break;
    case 's':
        save_cursor();
        break;
    case 'u':
        restore_cursor();
        break;
    default:
        dispatch_cursor_motion(final);
        break;
    }
}

void Terminal::dispatch_cursor_motion(u8 final) {
    Cursor const at = m_screen.cursor();
    u32 const columns = m_screen.size().columns;
    u32 const count = parameter(0, 1);
    u32 const tabs = std::min(count, columns);
    switch (final) {
    case 'A':
        move_up(count);
        break;
    case 'B':
    case 'e':
        move_down(count);
        break;
    case 'C':
    case 'a':
        set_column(at.column + count);
        break;
    case 'D':
        set_column(at.column - std::min(at.column, count));
        break;
    case 'E':
        move_down(count);
        set_column(0);
        break;
    case 'F':
        move_up(count);
        set_column(0);
        break;
    case 'G':
    case '`':
        set_column(count - 1);
        break;
    case 'H':
    case 'f':
        place(count - 1, parameter(1, 1) - 1);
        break;
    case 'd':
        place(count - 1, at.column);
        break;
    case 'I':
        for (u32 i = 0; i < tabs; ++i) {
            set_column(m_screen.next_tab(m_screen.cursor().column));
        }
        break;
    case 'Z':
        for (u32 i = 0; i < tabs; ++i) {
            set_column(m_screen.previous_tab(m_screen.cursor().column));
        }
        break;
    default:
        dispatch_edit(final);
        break;
    }
}

void Terminal::dispatch_edit(u8 final) {
    Cursor const at = m_screen.cursor();
    u32 const columns = m_screen.size().columns;
    u32 const count = parameter(0, 1);
    Colour const background = m_pen.background;
    u32 const top = m_screen.margin_top();
    u32 const bottom = m_screen.margin_bottom();
    switch (final) {
    case '@':
        m_screen.insert_cells(at.row, at.column, count, background);
        break;
    case 'P':
        m_screen.delete_cells(at.row, at.column, count, background);
        break;
    case 'X':
        m_screen.erase(at.row, at.column, std::min(columns, at.column + count), background);
        break;
    case 'J':
        erase_in_display(parameter(0, 0));
        break;
    case 'K':
        erase_in_line(parameter(0, 0));
        break;
    case 'L':
        edit_lines(count, true);
        return;
    case 'M':
        edit_lines(count, false);
        return;
    case 'S':
        m_screen.scroll_up(top, bottom, count, background, ScrolledOut::kept);
        break;
    case 'T':
        if (m_parameter_count > 1) {
            return; // with more parameters it tracks the mouse
        }
        m_screen.scroll_down(top, bottom, count, background);
        break;
    default:
        return;
    }
    set_column(at.column);
}

/// An operating system command: "0;TITLE" and "2;TITLE" name the window, all others mean nothing.
void Terminal::dispatch_command() {
    std::string_view const command = m_command;
    bool const is_title = command.starts_with("0;") || command.starts_with("2;");
    if (!is_title) {
        return;
    }
    m_title.clear();
    Utf8Decoder decoder;
    auto const append = [this](CodePoint point) {
        bool const is_control = point == 0x7F || (point >= 0x80 && point <= 0x9F);
        Utf8Bytes const encoded = encode_utf8(point);
        if (!is_control && m_title.append(encoded.view())) {
            return;
        }
    };
    for (char const byte : slice(command, 2, command.size() - 2)) {
        Decoded const decoded = decoder.take(static_cast<u8>(byte));
        for (u32 i = 0; i < decoded.count; ++i) {
            append(decoded.items[i]);
        }
    }
    if (decoder.finish() > 0) {
        append(replacement_character);
    }
}

void Terminal::line_feed() {
    Cursor const at = m_screen.cursor();
    u32 const top = m_screen.margin_top();
    u32 const bottom = m_screen.margin_bottom();
    if (at.row + 1 == bottom) {
        m_screen.scroll_up(top, bottom, 1, m_pen.background, ScrolledOut::kept);
        set_column(at.column);
    } else {
        m_screen.set_cursor({at.row + 1, at.column});
    }
}

void Terminal::reverse_line_feed() {
    Cursor const at = m_screen.cursor();
    if (at.row == m_screen.margin_top()) {
        m_screen.scroll_down(at.row, m_screen.margin_bottom(), 1, m_pen.background);
        set_column(at.column);
    } else {
        m_screen.set_cursor({at.row - std::min(at.row, 1u), at.column});
    }
}

void Terminal::set_column(u32 column) {
    m_screen.set_cursor({m_screen.cursor().row, column});
}

/// Up and down end at the margin, if the cursor is not past it already.
void Terminal::move_up(u32 rows) {
    Cursor const at = m_screen.cursor();
    u32 const top = at.row >= m_screen.margin_top() ? m_screen.margin_top() : 0;
    m_screen.set_cursor({std::max(top, at.row - std::min(at.row, rows)), at.column});
}

void Terminal::move_down(u32 rows) {
    Cursor const at = m_screen.cursor();
    u32 const bottom = m_screen.margin_bottom();
    u32 const last = at.row < bottom ? bottom - 1 : m_screen.size().rows - 1;
    m_screen.set_cursor({std::min(last, at.row + rows), at.column});
}

/// CUP: with origin mode, rows are those between the margins.
void Terminal::place(u32 row, u32 column) {
    if (m_modes.origin) {
        row = std::min(m_screen.margin_top() + row, m_screen.margin_bottom() - 1);
    }
    m_screen.set_cursor({row, column});
}

void Terminal::erase_in_display(u32 what) {
    Cursor const at = m_screen.cursor();
    ScreenSize const size = m_screen.size();
    Colour const background = m_pen.background;
    switch (what) {
    case 0:
        m_screen.erase(at.row, at.column, size.columns, background);
        m_screen.erase_rows(at.row + 1, size.rows, background);
        break;
    case 1:
        m_screen.erase_rows(0, at.row, background);
        m_screen.erase(at.row, 0, at.column + 1, background);
        break;
    case 2:
        m_screen.erase_rows(0, size.rows, background);
        break;
    case 3:
        m_screen.clear_history();
        break;
    default:
        break;
    }
}

void Terminal::erase_in_line(u32 what) {
    Cursor const at = m_screen.cursor();
    u32 const from = what == 0 ? at.column : 0;
    u32 const to = what == 1 ? at.column + 1 : m_screen.size().columns;
    if (what <= 2) {
        m_screen.erase(at.row, from, to, m_pen.background);
    }
}

/// IL and DL: the lines from the cursor's to the margin move. Outside of the margins they do
/// nothing.
void Terminal::edit_lines(u32 lines, bool insert) {
    u32 const row = m_screen.cursor().row;
    u32 const bottom = m_screen.margin_bottom();
    if (row < m_screen.margin_top() || row >= bottom) {
        return;
    }
    if (insert) {
        m_screen.scroll_down(row, bottom, lines, m_pen.background);
    } else {
        m_screen.scroll_up(row, bottom, lines, m_pen.background, ScrolledOut::lost);
    }
    set_column(0);
}

/// DECSTBM. At least two rows, or nothing happens.
void Terminal::set_margins() {
    u32 const rows = m_screen.size().rows;
    u32 const top = parameter(0, 1);
    u32 const bottom = std::min(parameter(1, rows), rows);
    if (top < bottom) {
        m_screen.set_margins(top - 1, bottom);
        place(0, 0);
    }
}

void Terminal::clear_tabs(u32 what) {
    if (what == 0) {
        m_screen.set_tab(m_screen.cursor().column, false);
    } else if (what == 3) {
        m_screen.clear_tabs();
    }
}

/// DECALN.
void Terminal::align() {
    m_screen.set_margins(0, m_screen.size().rows);
    m_screen.fill('E');
    m_screen.set_cursor({});
}

} // namespace twofold::text
