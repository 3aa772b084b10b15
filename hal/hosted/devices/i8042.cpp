// The controller itself. See i8042.hpp.
#include "hal/hosted/devices/i8042.hpp"

namespace hosted {

namespace {

// Bits of the command byte.
constexpr u8 keyboard_interrupt = 0x01, mouse_interrupt = 0x02, system_flag = 0x04,
             keyboard_off = 0x10, mouse_off = 0x20, translating = 0x40;
// Bits of the status.
constexpr u8 output_full = 0x01, last_was_command = 0x08, not_inhibited = 0x10,
             output_of_mouse = 0x20;

constexpr u8 self_test_passed = 0x55, port_test_passed = 0x00;
constexpr u8 break_prefix = 0xf0, break_bit = 0x80;

} // namespace

u8 I8042::status() const {
    u8 status = not_inhibited;
    status |= m_origin != Origin::none ? output_full : u8{0};
    status |= m_origin == Origin::mouse ? output_of_mouse : u8{0};
    status |= wants(system_flag) ? system_flag : u8{0};
    status |= m_was_command ? last_was_command : u8{0};
    return status;
}

void I8042::set(u8 command_bit, bool is_set) {
    u8& byte = m_memory[0];
    byte = static_cast<u8>(is_set ? byte | command_bit : byte & ~command_bit);
}

u8 I8042::read(u16 port) {
    if (port == command_port) {
        return status();
    }
    m_origin = Origin::none;
    return m_output; // where none waits, the last one once more
}

void I8042::write(u16 port, u8 value) {
    m_was_command = port == command_port;
    if (m_was_command) {
        take_command(value);
    } else {
        take_data(value);
    }
}

bool I8042::keyboard_line() const {
    bool const is_there = m_origin == Origin::keyboard || m_origin == Origin::controller;
    return is_there && wants(keyboard_interrupt);
}

bool I8042::mouse_line() const {
    return m_origin == Origin::mouse && wants(mouse_interrupt);
}

void I8042::let_in(Origin origin, u8 value) {
    m_origin = origin;
    m_output = value;
}

void I8042::advance() {
    take_strokes();
    take_motions();
    if (m_origin != Origin::none) {
        return;
    }
    if (!m_answers.empty()) {
        let_in(Origin::controller, m_answers.pop());
    } else if (m_injected_as != Origin::none) {
        let_in(m_injected_as, m_injected);
        m_injected_as = Origin::none;
    } else if (!wants(keyboard_off) && let_in_keyboard()) {
        take_strokes(); // there is room for more
    } else if (!wants(mouse_off) && m_mouse.link.has_byte()) {
        let_in(Origin::mouse, next_of(m_mouse.link));
        take_motions();
    }
}

/// Whether the keyboard had a byte that becomes one here.
bool I8042::let_in_keyboard() {
    Keyboard& keyboard = m_keyboard;
    if (!keyboard.link.answers.empty()) {
        u8 const byte = next_of(keyboard.link);
        let_in(Origin::keyboard, wants(translating) ? device::translate(byte) : byte);
        return true;
    }
    while (keyboard.link.has_byte()) {
        u8 const byte = next_of(keyboard.link);
        if (!wants(translating)) {
            let_in(Origin::keyboard, byte);
            return true;
        }
        if (byte == break_prefix) {
            m_is_break = true;
            continue;
        }
        u8 const translated = device::translate(byte);
        let_in(Origin::keyboard, static_cast<u8>(translated | (m_is_break ? break_bit : 0)));
        m_is_break = false;
        return true;
    }
    return false;
}

void I8042::reset_controller() {
    m_memory = {command_byte_at_first};
    m_answers.clear();
    m_injected_as = Origin::none;
    m_is_break = false;
    m_origin = Origin::none;
}

void I8042::take_command(u8 command) {
    m_expects = Expects::keyboard_byte;
    if (command >= 0x20 && command < 0x40) {
        answer(m_memory[command % memory_bytes]);
        return;
    }
    if (command >= 0x60 && command < 0x80) {
        m_memory_index = command % memory_bytes;
        m_expects = Expects::memory_byte;
        return;
    }
    switch (command) {
    case 0xa7:
    case 0xa8:
        return set(mouse_off, command == 0xa7);
    case 0xad:
    case 0xae:
        return set(keyboard_off, command == 0xad);
    case 0xa9:
    case 0xab:
        return answer(port_test_passed);
    case 0xaa:
        reset_controller();
        return answer(self_test_passed);
    case 0xc0:
        return answer(0xa0); // the input port: the keyboard is not locked
    case 0xd0:
        return answer(m_origin == Origin::none ? 0x03 : 0x13); // the output port: no reset, A20
    case 0xd1:
        m_expects = Expects::output_port;
        return;
    case 0xd2:
        m_expects = Expects::output_of_keyboard;
        return;
    case 0xd3:
        m_expects = Expects::output_of_mouse;
        return;
    case 0xd4:
        m_expects = Expects::mouse_byte;
        return;
    default:
        return; // pulses, and what no such controller has
    }
}

void I8042::take_data(u8 value) {
    Expects const what = std::exchange(m_expects, Expects::keyboard_byte);
    switch (what) {
    case Expects::keyboard_byte:
        set(keyboard_off, false);
        return take_keyboard_command(value);
    case Expects::memory_byte:
        m_memory[m_memory_index] = value;
        return;
    case Expects::output_port:
        return;
    case Expects::output_of_keyboard:
    case Expects::output_of_mouse:
        m_injected = value;
        m_injected_as = what == Expects::output_of_mouse ? Origin::mouse : Origin::keyboard;
        return;
    case Expects::mouse_byte:
        set(mouse_off, false);
        return take_mouse_command(value);
    }
}

} // namespace hosted
