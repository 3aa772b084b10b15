// The terminal's parser, and printing.
#include "core/text/terminal.hpp"

#include "core/text/width.hpp"

#include <algorithm>

namespace twofold::text {

namespace {

constexpr u8 bell = 0x07;
constexpr u8 cancel = 0x18;
constexpr u8 substitute = 0x1A;
constexpr u8 escape = 0x1B;
constexpr u8 rubout = 0x7F;
constexpr u16 parameter_max = 0xFFFF;

constexpr bool is_printable(u8 byte) {
    return byte >= 0x20 && byte < rubout;
}
constexpr bool is_intermediate(u8 byte) {
    return byte >= 0x20 && byte <= 0x2F;
}

/// How many bytes at the beginning are printable ASCII.
usize printable_run(std::string_view bytes) {
    usize length = 0;
    while (length < bytes.size() && is_printable(static_cast<u8>(bytes[length]))) {
        ++length;
    }
    return length;
}

std::string_view part_of(std::string_view text, usize offset, usize count) {
    return slice(text, offset, count);
}
std::span<CodePoint const> part_of(std::span<CodePoint const> text, usize offset, usize count) {
    return text.subspan(offset, count);
}

/// Format characters that no cell has a place for: they steer what is not done here (direction,
/// line breaks). The joiner of emoji is kept, as text.
constexpr bool is_invisible(CodePoint point) {
    constexpr CodePoint joiner = 0x200D;
    bool const is_space_or_direction = point >= 0x200B && point <= 0x200F && point != joiner;
    return is_space_or_direction || (point >= 0x202A && point <= 0x202E) ||
           (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF;
}

} // namespace

void Terminal::write(std::string_view bytes) {
    while (!bytes.empty()) {
        if (m_state == State::ground && !m_decoder.is_within()) {
            usize run = printable_run(bytes);
            if (run > 0) {
                print_run(slice(bytes, 0, run));
            } else {
                run = print_narrow(bytes);
            }
            bytes.remove_prefix(run);
            if (run > 0) {
                continue;
            }
        }
        take(static_cast<u8>(bytes.front()));
        bytes.remove_prefix(1);
    }
}

void Terminal::take(u8 byte) {
    if (m_state == State::ground) {
        take_text(byte);
        return;
    }
    if (byte == escape) {
        if (m_state == State::command_string) {
            dispatch_command();
        }
        begin_sequence(State::escape);
    } else if (byte == cancel || byte == substitute) {
        m_state = State::ground;
    } else if (m_state == State::command_string || m_state == State::other_string) {
        take_string(byte);
    } else if (byte < 0x20) {
        execute(byte);
    } else if (byte < rubout) {
        bool const is_escape = m_state == State::escape || m_state == State::escape_intermediate;
        is_escape ? take_escape(byte) : take_control(byte);
    }
    // DEL and bytes above it mean nothing within a sequence.
}

void Terminal::take_text(u8 byte) {
    Decoded const decoded = m_decoder.take(byte);
    for (u32 i = 0; i < decoded.count; ++i) {
        CodePoint const point = decoded.items[i];
        if (point == escape) {
            begin_sequence(State::escape);
        } else if (point < 0x20) {
            execute(static_cast<u8>(point));
        } else if (point < rubout || point > 0x9F) {
            print(point);
        }
    }
}

void Terminal::begin_sequence(State state) {
    m_state = state;
    m_parameter_count = 0;
    m_parts = 0;
    m_prefix = 0;
    m_intermediate = 0;
    m_too_many = false;
    m_command.clear();
}

void Terminal::take_escape(u8 byte) {
    if (is_intermediate(byte)) {
        m_too_many = m_too_many || m_intermediate != 0;
        m_intermediate = byte;
        m_state = State::escape_intermediate;
        return;
    }
    if (m_state == State::escape) {
        switch (byte) {
        case '[':
            begin_sequence(State::control_entry);
            return;
        case ']':
            begin_sequence(State::command_string);
            return;
        case 'P':
        case 'X':
        case '^':
        case '_':
            begin_sequence(State::other_string);
            return;
        default:
            break;
        }
    }
    m_state = State::ground;
    if (!m_too_many) {
        dispatch_escape(byte);
    }
}

void Terminal::take_control(u8 byte) {
    if (byte >= 0x40) {
        bool const is_understood = m_state != State::control_ignored && !m_too_many;
        m_state = State::ground;
        if (is_understood) {
            dispatch_control(byte);
        }
    } else if (m_state == State::control_ignored) {
        return;
    } else if (is_intermediate(byte)) {
        m_too_many = m_too_many || m_intermediate != 0;
        m_intermediate = byte;
        m_state = State::control_intermediate;
    } else if (m_state == State::control_intermediate) {
        m_state = State::control_ignored;
    } else if (byte >= '<') {
        m_prefix = byte;
        m_state =
            m_state == State::control_entry ? State::control_parameter : State::control_ignored;
    } else {
        m_state = State::control_parameter;
        take_parameter(byte);
    }
}

/// A digit, or the end of a parameter. The first parameter begins with whatever comes first, so
/// that "CSI ; 5 H" leaves one out. What is too many is forgotten with its digits.
void Terminal::take_parameter(u8 byte) {
    if (m_parameter_count == 0) {
        m_parameters[m_parameter_count++] = 0;
    }
    if (byte == ';' || byte == ':') {
        if (m_parameter_count == parameters_max) {
            m_state = State::control_ignored;
            return;
        }
        m_parts |= byte == ':' ? 1u << m_parameter_count : 0;
        m_parameters[m_parameter_count++] = 0;
        return;
    }
    u16& value = m_parameters[m_parameter_count - 1];
    value = static_cast<u16>(std::min<u32>(value * 10u + (byte - '0'), parameter_max));
}

void Terminal::take_string(u8 byte) {
    if (m_state == State::other_string) {
        return;
    }
    if (byte == bell) {
        m_state = State::ground;
        dispatch_command();
    } else if (byte >= 0x20 && m_command.size() < m_command.capacity()) {
        m_command.append(static_cast<char>(byte)).value();
    }
}

/// Characters of one cell each, as many at once as a row takes.
template<class Text>
void Terminal::print_run(Text text) {
    u32 const columns = m_screen.size().columns;
    for (usize done = 0; done < text.size();) {
        if (m_screen.cursor().wraps && m_modes.wraps && !mutant(Mutant::screen_wrap_lost)) {
            wrap_line();
        }
        Cursor const at = m_screen.cursor();
        usize const count = std::min<usize>(text.size() - done, columns - at.column);
        if (m_modes.insert) {
            m_screen.insert_cells(at.row, at.column, static_cast<u32>(count), m_pen.background);
        }
        m_screen.write(at.row, at.column, part_of(text, done, count), m_pen);
        u32 const next = at.column + static_cast<u32>(count);
        m_screen.set_cursor({at.row, next, next == columns});
        done += count;
    }
}

/// Prints characters of one cell from the beginning of `bytes`, and returns how many bytes these
/// were. It stops before whatever is something else, and then that is at the beginning.
usize Terminal::print_narrow(std::string_view bytes) {
    constexpr usize points_max = 256;
    CodePoint points[points_max];
    usize count = 0;
    usize taken = 0;
    Utf8Decoder decoder;
    for (usize at = 0; at < bytes.size() && count < points_max; ++at) {
        Decoded const decoded = decoder.take(static_cast<u8>(bytes[at]));
        if (decoder.is_within() && decoded.count == 0) {
            continue;
        }
        CodePoint const point = decoded.items[0];
        bool const is_narrow = decoded.count == 1 && !decoder.is_within() && width_of(point) == 1;
        if (!is_narrow) {
            break;
        }
        points[count++] = point;
        taken = at + 1;
    }
    print_run(std::span<CodePoint const>(points, count));
    return taken;
}

void Terminal::print(CodePoint point) {
    u32 width = width_of(point);
    if (width == 0) {
        print_mark(point);
        return;
    }
    u32 const columns = m_screen.size().columns;
    if (width > columns) {
        point = replacement_character;
        width = 1;
    }
    Cursor at = m_screen.cursor();
    if (m_modes.wraps && (at.wraps || at.column + width > columns)) {
        wrap_line();
        at = m_screen.cursor();
    }
    at.column = std::min(at.column, columns - width);
    if (m_modes.insert) {
        m_screen.insert_cells(at.row, at.column, width, m_pen.background);
    }
    m_screen.write(at.row, at.column, point, width, m_pen);
    u32 const next = at.column + width;
    m_screen.set_cursor({at.row, next, next == columns});
}

/// A mark goes to the character before the cursor.
void Terminal::print_mark(CodePoint mark) {
    Cursor const at = m_screen.cursor();
    if (is_invisible(mark) || (!at.wraps && at.column == 0)) {
        return;
    }
    m_screen.add_mark(at.row, at.wraps ? at.column : at.column - 1, mark);
}

void Terminal::wrap_line() {
    m_screen.set_wrapped(m_screen.cursor().row, true);
    line_feed();
    set_column(0);
}

} // namespace twofold::text
