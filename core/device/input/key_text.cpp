// See key_text.hpp.
#include "core/device/input/key_text.hpp"

#include "core/text/text.hpp"

namespace twofold::device {

namespace {

constexpr std::string_view escape = "\x1b";

/// A key by the sequence that it sends.
struct Sequence {
    enum class Form : u8 {
        none,
        cursor,   ///< CSI letter, or SS3 letter in the application's mode
        single,   ///< SS3 letter
        function, ///< CSI number ~
    };
    Form form = Form::none;
    u8 code = 0; ///< a letter or a number
};

constexpr u8 f5_and_on[] = {15, 17, 18, 19, 20, 21, 23, 24};            // F5 to F12
constexpr u8 f13_and_on[] = {25, 26, 28, 29, 31, 32, 33, 34};           // F13 to F20
constexpr u8 keypad_letters[] = {'F', 'B', 0, 'D', 'E', 'C', 'H', 'A'}; // 1 to 8, num lock off

constexpr u32 distance(Key key, Key first) {
    return static_cast<u32>(key) - static_cast<u32>(first);
}

constexpr Sequence cursor(char letter) {
    return {Sequence::Form::cursor, static_cast<u8>(letter)};
}
constexpr Sequence function(u8 number) {
    return {Sequence::Form::function, number};
}

constexpr Sequence function_key(Key key) {
    if (key >= Key::f1 && key <= Key::f4) {
        return {Sequence::Form::single, static_cast<u8>('P' + distance(key, Key::f1))};
    }
    if (key >= Key::f5 && key <= Key::f12) {
        return function(f5_and_on[distance(key, Key::f5)]);
    }
    if (key >= Key::f13 && key <= Key::f20) {
        return function(f13_and_on[distance(key, Key::f13)]);
    }
    return {};
}

constexpr Sequence sequence_of(Key key) {
    switch (key) {
    case Key::up:
        return cursor('A');
    case Key::down:
        return cursor('B');
    case Key::right:
        return cursor('C');
    case Key::left:
        return cursor('D');
    case Key::home:
        return cursor('H');
    case Key::end:
        return cursor('F');
    case Key::insert:
    case Key::keypad_0:
        return function(2);
    case Key::delete_forward:
    case Key::keypad_period:
        return function(3);
    case Key::page_up:
    case Key::keypad_9:
        return function(5);
    case Key::page_down:
    case Key::keypad_3:
        return function(6);
    default:
        break;
    }
    if (key >= Key::keypad_1 && key <= Key::keypad_8) {
        return cursor(static_cast<char>(keypad_letters[distance(key, Key::keypad_1)]));
    }
    return function_key(key);
}

/// What control makes of a character; above 0xff: nothing, it stays as it is.
constexpr u32 control_of(char32_t character) {
    constexpr u32 none = 0x100;
    constexpr char digits[] = {0x00, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x7f}; // of 2 to 8
    if ((character >= U'@' && character <= U'_') || (character >= U'a' && character <= U'z')) {
        return character & 0x1f;
    }
    if (character >= U'2' && character <= U'8') {
        return static_cast<u8>(digits[character - U'2']);
    }
    switch (character) {
    case U' ':
    case U'`':
        return 0x00;
    case U'/':
        return 0x1f;
    case U'?':
        return 0x7f;
    default:
        return none;
    }
}

/// The parameter that tells of modifiers; 1: none.
constexpr u32 modified_by(Modifiers modifiers) {
    return 1 + (modifiers.shift() ? 1u : 0) + (modifiers.alt() ? 2u : 0) +
           (modifiers.control() ? 4u : 0);
}

} // namespace

KeyText::KeyText(KeyEvent const& event, CursorKeys cursor_keys) {
    if (!event.pressed) {
        return;
    }
    if (event.character != 0) {
        add_character(event);
    } else {
        add_key(event, cursor_keys);
    }
}

void KeyText::add(std::string_view text) {
    for (char const byte : text) {
        CHECK(m_size < capacity);
        m_bytes[m_size++] = byte;
    }
}

void KeyText::add_number(u32 number) {
    CHECK(number < 100);
    if (number >= 10) {
        m_bytes[m_size++] = static_cast<char>('0' + number / 10);
    }
    m_bytes[m_size++] = static_cast<char>('0' + number % 10);
}

void KeyText::add_character(KeyEvent const& event) {
    if (event.modifiers.alt()) {
        add(escape);
    }
    u32 const control = control_of(event.character);
    if (event.modifiers.control() && control <= 0xff) {
        char const byte = static_cast<char>(control);
        add({&byte, 1});
    } else {
        add(text::encode_utf8(event.character).view());
    }
}

/// A key that sends one byte, whatever is held.
void KeyText::add_plain(KeyEvent const& event, char plain) {
    if (event.modifiers.alt()) {
        add(escape);
    }
    add({&plain, 1});
}

void KeyText::add_letter(char letter, u32 modified, bool has_single_shift) {
    if (modified == 1) {
        add(has_single_shift ? "\x1bO" : "\x1b[");
    } else {
        add("\x1b[1;");
        add_number(modified);
    }
    add({&letter, 1});
}

void KeyText::add_function(u32 number, u32 modified) {
    add("\x1b[");
    add_number(number);
    if (modified != 1) {
        add(";");
        add_number(modified);
    }
    add("~");
}

void KeyText::add_key(KeyEvent const& event, CursorKeys cursor_keys) {
    bool const has_control = event.modifiers.control();
    switch (event.key) {
    case Key::enter:
    case Key::keypad_enter:
        return add_plain(event, '\r');
    case Key::escape:
        return add_plain(event, '\x1b');
    case Key::backspace:
        return add_plain(event, has_control ? '\b' : '\x7f');
    case Key::tab:
        if (event.modifiers.shift()) {
            return add("\x1b[Z");
        }
        return add_plain(event, '\t');
    default:
        break;
    }
    Sequence const sequence = sequence_of(event.key);
    u32 const modified = modified_by(event.modifiers);
    bool const is_application = cursor_keys == CursorKeys::application;
    switch (sequence.form) {
    case Sequence::Form::cursor:
        return add_letter(static_cast<char>(sequence.code), modified, is_application);
    case Sequence::Form::single:
        return add_letter(static_cast<char>(sequence.code), modified, true);
    case Sequence::Form::function:
        return add_function(sequence.code, modified);
    case Sequence::Form::none:
        return;
    }
}

} // namespace twofold::device
