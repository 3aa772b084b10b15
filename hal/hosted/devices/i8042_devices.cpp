// The keyboard and the mouse behind the controller. See i8042.hpp.
#include "hal/hosted/devices/i8042.hpp"

#include <algorithm>

namespace hosted {

namespace {

constexpr u8 acknowledged = 0xfa, again = 0xfe, passed = 0xaa;
/// How far a motion goes at most, so that it ends: some hundred packets.
constexpr i32 motion_max = 32'767;
constexpr u32 packet_bytes_max = 4;

constexpr i32 limited(i32 moved) {
    return std::clamp(moved, -motion_max, motion_max);
}

} // namespace

u8 I8042::next_of(Link& link) {
    link.last = link.answers.empty() ? link.out.pop() : link.answers.pop();
    return link.last;
}

bool I8042::add(KeyStroke const& stroke) {
    bool const is_key = device::encode(stroke.key, true, device::ScancodeSet::two).count != 0;
    bool const is_added = is_key && m_strokes.push(stroke);
    m_dropped += is_key && !is_added ? 1 : 0;
    return is_added;
}

bool I8042::add(MouseMotion const& motion) {
    bool const is_added = m_motions.push(
        {limited(motion.dx), limited(motion.dy), limited(motion.wheel), motion.buttons});
    m_dropped += is_added ? 0 : 1;
    return is_added;
}

/// Has the keyboard send what there is room for; what it does not look at is gone.
void I8042::take_strokes() {
    while (!m_strokes.empty() && m_keyboard.link.out.room() >= device::ScancodeBytes::capacity) {
        KeyStroke const stroke = m_strokes.pop();
        if (!m_keyboard.scans) {
            continue;
        }
        auto const bytes = device::encode(stroke.key, stroke.pressed, m_keyboard.set);
        for (u8 const byte : bytes.view()) {
            m_keyboard.link.out.push(byte);
        }
    }
}

void I8042::take_motions() {
    while (!m_motions.empty() && m_mouse.link.out.room() >= packet_bytes_max) {
        MouseMotion& motion = m_motions.front();
        m_mouse.buttons = motion.buttons & 7;
        if (m_mouse.reports) {
            send_packet(motion);
        }
        bool const is_whole = motion.dx == 0 && motion.dy == 0 && motion.wheel == 0;
        if (is_whole || !m_mouse.reports) {
            m_motions.pop();
        }
    }
}

/// Sends as much of the motion as a packet holds, and takes it off. A mouse without a wheel forgets
/// what that was turned.
void I8042::send_packet(MouseMotion& motion) {
    constexpr u8 always_one = 0x08, sign_x = 0x10, sign_y = 0x20;
    i32 const right = std::clamp(motion.dx, -256, 255);
    i32 const up = std::clamp(-motion.dy, -256, 255);
    i32 const notches = std::clamp(motion.wheel, -8, 7);
    u8 const signs = static_cast<u8>((right < 0 ? sign_x : 0) | (up < 0 ? sign_y : 0));
    m_mouse.link.out.push(static_cast<u8>(m_mouse.buttons | always_one | signs));
    m_mouse.link.out.push(static_cast<u8>(right));
    m_mouse.link.out.push(static_cast<u8>(up));
    motion.dx -= right;
    motion.dy += up;
    if (m_mouse.has_wheel) {
        m_mouse.link.out.push(static_cast<u8>(notches));
        motion.wheel -= notches;
    } else {
        motion.wheel = 0;
    }
}

void I8042::take_keyboard_command(u8 value) {
    Buffer& answers = m_keyboard.link.answers;
    if (m_keyboard.link.parameter_of != 0 && value < 0x80) {
        return take_keyboard_parameter(value);
    }
    m_keyboard.link.parameter_of = 0;
    switch (value) {
    case 0xed: // lights
    case 0xf0: // scan code set
    case 0xf3: // repeats
        m_keyboard.link.parameter_of = value;
        break;
    case 0xee:
        answers.push(0xee); // echo, which is not acknowledged
        return;
    case 0xf2: // who are you
        answers.push(acknowledged);
        answers.push(0xab);
        answers.push(0x83);
        return;
    case 0xf4:
    case 0xf5:
        m_keyboard.scans = value == 0xf4;
        m_keyboard.link.out.clear();
        break;
    case 0xf6: // defaults
    case 0xff:
        m_keyboard.set = device::ScancodeSet::two;
        m_keyboard.scans = true;
        m_keyboard.lights = 0;
        m_keyboard.link.out.clear();
        m_strokes.clear();
        m_is_break = false;
        answers.clear();
        break;
    case 0xfe:
        answers.push(m_keyboard.link.last);
        return;
    default:
        answers.push(again);
        return;
    }
    answers.push(acknowledged);
    if (value == 0xff) {
        answers.push(passed);
    }
}

void I8042::take_keyboard_parameter(u8 value) {
    Buffer& answers = m_keyboard.link.answers;
    u8 const command = std::exchange(m_keyboard.link.parameter_of, u8{0});
    if (command == 0xed) {
        m_keyboard.lights = value & 7;
    }
    if (command == 0xf0 && value > 2) {
        answers.push(again);
        return;
    }
    answers.push(acknowledged);
    if (command == 0xf0 && value == 0) {
        answers.push(static_cast<u8>(m_keyboard.set));
    } else if (command == 0xf0) {
        m_keyboard.set = value == 1 ? device::ScancodeSet::one : device::ScancodeSet::two;
    }
}

void I8042::take_mouse_command(u8 value) {
    Mouse& mouse = m_mouse;
    Buffer& answers = mouse.link.answers;
    if (mouse.link.parameter_of != 0) {
        return take_mouse_parameter(value);
    }
    switch (value) {
    case 0xe6:
    case 0xe7:
        mouse.doubles = value == 0xe7;
        break;
    case 0xe8: // resolution
    case 0xf3: // packets a second
        mouse.link.parameter_of = value;
        break;
    case 0xea: // stream mode, in which it always is
        break;
    case 0xf4:
    case 0xf5:
        mouse.reports = value == 0xf4;
        mouse.link.out.clear();
        break;
    case 0xf6:
    case 0xff: {
        bool const keeps_wheel = value == 0xf6 && mouse.has_wheel;
        mouse = Mouse{};
        mouse.has_wheel = keeps_wheel;
        m_motions.clear();
        break;
    }
    case 0xe9:
        answers.push(acknowledged);
        return answer_mouse_status();
    case 0xfe:
        answers.push(mouse.link.last);
        return;
    case 0xf2:
        break;
    default:
        answers.push(again);
        return;
    }
    answers.push(acknowledged);
    if (value == 0xff) {
        answers.push(passed);
    }
    if (value == 0xff || value == 0xf2) {
        answers.push(mouse.has_wheel ? 3 : 0); // what it is
    }
}

void I8042::take_mouse_parameter(u8 value) {
    Mouse& mouse = m_mouse;
    if (std::exchange(mouse.link.parameter_of, u8{0}) == 0xe8) {
        mouse.resolution = value & 3;
    } else {
        std::shift_right(std::begin(mouse.rates), std::end(mouse.rates), 1);
        mouse.rates[0] = value;
        // The knock: 200, 100, 80.
        mouse.has_wheel = mouse.has_wheel ||
                          (mouse.rates[0] == 80 && mouse.rates[1] == 100 && mouse.rates[2] == 200);
    }
    mouse.link.answers.push(acknowledged);
}

void I8042::answer_mouse_status() {
    u8 const modes = static_cast<u8>((m_mouse.reports ? 0x20 : 0) | (m_mouse.doubles ? 0x10 : 0));
    u8 const left_to_right = static_cast<u8>(
        (m_mouse.buttons & 1) << 2 | (m_mouse.buttons & 4) >> 1 | (m_mouse.buttons & 2) >> 1);
    m_mouse.link.answers.push(modes | left_to_right);
    m_mouse.link.answers.push(m_mouse.resolution);
    m_mouse.link.answers.push(m_mouse.rates[0]);
}

} // namespace hosted
