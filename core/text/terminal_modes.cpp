// The terminal's modes, the cursor that is saved, and what it reports.
#include "core/text/terminal.hpp"

namespace twofold::text {

void Terminal::set_modes(bool on) {
    for (usize i = 0; i < m_parameter_count; ++i) {
        switch (m_parameters[i]) {
        case 4:
            m_modes.insert = on;
            break;
        case 20:
            m_modes.new_line = on;
            break;
        default:
            break;
        }
    }
}

void Terminal::set_private_modes(bool on) {
    for (usize i = 0; i < m_parameter_count; ++i) {
        set_private_mode(m_parameters[i], on);
    }
}

void Terminal::set_private_mode(u32 mode, bool on) {
    switch (mode) {
    case 1:
        m_modes.application_cursor_keys = on;
        break;
    case 6:
        m_modes.origin = on;
        place(0, 0);
        break;
    case 7:
        m_modes.wraps = on;
        break;
    case 25:
        m_screen.show_cursor(on);
        break;
    case 47:
        select_alternate(on, false);
        break;
    case 1047:
        select_alternate(on, !on);
        break;
    case 1048:
        on ? save_cursor() : restore_cursor();
        break;
    case 1049:
        if (on) {
            save_cursor();
            select_alternate(true, true);
        } else {
            select_alternate(false, false);
            restore_cursor();
        }
        break;
    case 2004:
        m_modes.bracketed_paste = on;
        break;
    default:
        set_mouse_mode(mode, on);
        break;
    }
}

void Terminal::set_mouse_mode(u32 mode, bool on) {
    switch (mode) {
    case 1000:
    case 1001:
    case 1002:
    case 1003:
        m_modes.mouse_tracking = on ? static_cast<MouseTracking>(mode - 999) : MouseTracking::none;
        break;
    case 1004:
        m_modes.focus_events = on;
        break;
    case 1005:
    case 1006:
        m_modes.mouse_encoding =
            on ? static_cast<MouseEncoding>(mode - 1004) : MouseEncoding::bytes;
        break;
    default:
        break;
    }
}
static_assert(static_cast<u32>(MouseTracking::press) == 1000 - 999);
static_assert(static_cast<u32>(MouseTracking::motion) == 1003 - 999);
static_assert(static_cast<u32>(MouseEncoding::utf8) == 1005 - 1004);
static_assert(static_cast<u32>(MouseEncoding::decimal) == 1006 - 1004);

/// Shows the alternate plane or the primary one. `clears`: the alternate one, while it is seen.
void Terminal::select_alternate(bool on, bool clears) {
    if (on) {
        m_screen.select(Plane::alternate);
    }
    if (clears && m_screen.plane() == Plane::alternate) {
        m_screen.erase_rows(0, m_screen.size().rows, m_pen.background);
    }
    if (!on) {
        m_screen.select(Plane::primary);
    }
}

void Terminal::save_cursor() {
    m_screen.save_cursor();
    m_saved[static_cast<u32>(m_screen.plane())] = {m_pen, m_modes.origin};
}

void Terminal::restore_cursor() {
    SavedStyle const& saved = m_saved[static_cast<u32>(m_screen.plane())];
    m_pen = saved.pen;
    m_modes.origin = saved.origin;
    m_screen.restore_cursor();
}

/// DECSCUSR: pairs of blinking and steady shapes. Whether a cursor blinks is the view's choice.
void Terminal::set_cursor_shape(u32 style) {
    if (style <= 2) {
        m_screen.set_cursor_shape(CursorShape::block);
    } else if (style <= 4) {
        m_screen.set_cursor_shape(CursorShape::underline);
    } else if (style <= 6) {
        m_screen.set_cursor_shape(CursorShape::bar);
    }
}

/// DSR: that all is well, or where the cursor is.
void Terminal::report_status(u32 what, bool is_private) {
    Cursor const at = m_screen.cursor();
    if (what == 5 && !is_private) {
        m_reports.write("\x1B[0n");
    } else if (what == 6) {
        u32 const first = m_modes.origin ? m_screen.margin_top() : 0;
        u32 const row = at.row >= first ? at.row - first : 0;
        std::string_view const prefix = is_private ? "?" : "";
        format_to(m_reports, "\x1B[{}{};{}R", prefix, row + 1, at.column + 1);
    }
}

} // namespace twofold::text
