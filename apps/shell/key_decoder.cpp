// KeyDecoder: the states of sequences, and the table of keys.
#include "apps/shell/key_decoder.hpp"

#include "apps/shell/sequences.hpp"

namespace twofold::shell {

namespace {

constexpr std::string_view paste_end = "\x1B[201~";
static_assert(paste_end.size() + 2 <= KeyDecoder::keys_max, "a broken end, and what broke it");

void add(KeyDecoder::Keys& keys, Key key) {
    Result<void> const added = keys.push_back(key);
    CHECK(added.has_value());
}

constexpr bool is_c0(u32 point) {
    return point < 0x20 || point == 0x7F;
}

/// A code point that was typed or pasted; C1 controls are none that text holds.
Key letter(text::CodePoint point, bool pasted) {
    bool const is_c1 = point >= 0x80 && point < 0xA0;
    return {Key::Kind::letter, is_c1 ? text::replacement_character : point, pasted};
}

} // namespace

KeyDecoder::Keys KeyDecoder::take(u8 byte) {
    Keys keys;
    if (m_pasting) {
        take_pasted(byte, keys);
        return keys;
    }
    bool const breaks_off = m_state != State::ground && m_state != State::escape && byte < 0x20;
    if (breaks_off) {
        m_state = State::ground;
    }
    switch (m_state) {
    case State::ground:
        take_ground(byte, keys);
        break;
    case State::escape:
        take_escape(byte, keys);
        break;
    case State::control_entry:
    case State::control:
        take_control(byte, keys);
        break;
    case State::console_key:
        m_state = State::ground;
        break;
    case State::single:
        take_single(byte, keys);
        break;
    }
    return keys;
}

void KeyDecoder::take_ground(u8 byte, Keys& keys) {
    text::Decoded const decoded = m_decoder.take(byte);
    for (u32 i = 0; i < decoded.count; ++i) {
        text::CodePoint const point = decoded.items[i];
        if (point == escape_byte) {
            m_state = State::escape;
        } else if (is_c0(point)) {
            add(keys, {Key::Kind::control, point});
        } else {
            add(keys, letter(point, false));
        }
    }
}

void KeyDecoder::take_escape(u8 byte, Keys& keys) {
    m_state = State::ground;
    if (byte == '[') {
        begin_control();
    } else if (byte == 'O') {
        m_state = State::single;
    } else if (byte == escape_byte) {
        m_state = State::escape;
    } else if (byte < 0x80) {
        add(keys, {Key::Kind::alt, byte});
    } else {
        take_ground(byte, keys);
    }
}

void KeyDecoder::begin_control() {
    m_state = State::control_entry;
    m_strange = false;
    m_parameter = 0;
    for (u32& parameter : m_parameters) {
        parameter = 0;
    }
}

void KeyDecoder::take_control(u8 byte, Keys& keys) {
    bool const is_first = m_state == State::control_entry;
    m_state = State::control;
    if (is_first && byte == '[') {
        m_state = State::console_key;
    } else if (byte >= 0x30 && byte <= 0x3F) {
        take_parameter(byte);
    } else if (byte >= 0x20 && byte <= 0x2F) {
        m_strange = true;
    } else {
        m_state = State::ground;
        if (byte < 0x7F && !m_strange) {
            dispatch(byte, keys);
        }
    }
}

void KeyDecoder::take_parameter(u8 byte) {
    if (byte == ';') {
        ++m_parameter;
    } else if (byte < '0' || byte > '9') {
        m_strange = true;
    } else if (m_parameter < parameters_max) {
        u32& value = m_parameters[m_parameter];
        value = value > parameter_max ? value : value * 10 + (byte - '0');
    }
    m_strange = m_strange || m_parameter >= parameters_max;
}

void KeyDecoder::take_single(u8 byte, Keys& keys) {
    begin_control();
    m_state = State::ground;
    if (byte == 'c' || byte == 'd') { // rxvt, with ctrl
        add(keys, {byte == 'c' ? Key::Kind::word_right : Key::Kind::word_left});
    } else if (byte < 0x7F) {
        dispatch(byte, keys);
    }
}

void KeyDecoder::dispatch(u8 final, Keys& keys) {
    constexpr u32 first_strong_modifier = 3; // 2 is shift alone; 3 and more have alt or ctrl
    bool const by_word = m_parameters[1] >= first_strong_modifier;
    switch (final) {
    case 'A':
        return add(keys, {Key::Kind::up});
    case 'B':
        return add(keys, {Key::Kind::down});
    case 'C':
        return add(keys, {by_word ? Key::Kind::word_right : Key::Kind::right});
    case 'D':
        return add(keys, {by_word ? Key::Kind::word_left : Key::Kind::left});
    case 'H':
        return add(keys, {Key::Kind::home});
    case 'F':
        return add(keys, {Key::Kind::end});
    case 'M': // enter of the keypad, behind SS3
        return add(keys, {Key::Kind::control, '\r'});
    case '~':
        return dispatch_numbered(keys);
    default:
        return;
    }
}

void KeyDecoder::dispatch_numbered(Keys& keys) {
    switch (m_parameters[0]) {
    case 1:
    case 7:
        return add(keys, {Key::Kind::home});
    case 3:
        return add(keys, {m_parameters[1] >= 3 ? Key::Kind::erase_word : Key::Kind::erase});
    case 4:
    case 8:
        return add(keys, {Key::Kind::end});
    case 5:
        return add(keys, {Key::Kind::page_up});
    case 6:
        return add(keys, {Key::Kind::page_down});
    case 200:
        m_pasting = true;
        m_pasted_return = false;
        m_matched = 0;
        return;
    default:
        return;
    }
}

/// Looks for the end of the paste. Its first byte occurs in it once, so a broken one begins nowhere
/// but at the byte that broke it.
void KeyDecoder::take_pasted(u8 byte, Keys& keys) {
    if (byte == static_cast<u8>(paste_end[m_matched])) {
        if (++m_matched == paste_end.size()) {
            m_pasting = false;
            if (m_decoder.finish() > 0) {
                add(keys, letter(text::replacement_character, true));
            }
        }
        return;
    }
    for (usize i = 0; i < m_matched; ++i) {
        paste(static_cast<u8>(paste_end[i]), keys);
    }
    m_matched = byte == escape_byte ? 1 : 0;
    if (m_matched == 0) {
        paste(byte, keys);
    }
}

void KeyDecoder::paste(u8 byte, Keys& keys) {
    bool const is_second = m_pasted_return && byte == '\n'; // of a line end that is two bytes
    m_pasted_return = byte == '\r';
    if (is_second) {
        return;
    }
    text::Decoded const decoded = m_decoder.take(byte == '\r' ? u8{'\n'} : byte);
    for (u32 i = 0; i < decoded.count; ++i) {
        add(keys, letter(decoded.items[i], true));
    }
}

} // namespace twofold::shell
