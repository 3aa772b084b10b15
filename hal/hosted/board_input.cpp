// A board's ports, and the keyboard controller behind them. See board.hpp.
#include "hal/hosted/board.hpp"

#include "hal/hosted/board_locks.hpp"

namespace hosted {

/// A wider access is one of each byte, as on the ISA bus: what nobody answers at reads all ones.
/// Under the lock `device`, as all here.
u32 Board::read_port(PortAccess const& access) {
    u32 value = 0;
    for (u32 i = 0; i < access.width; ++i) {
        auto const port = static_cast<u16>(access.port + i);
        bool const is_there = m_config.has_keyboard_controller && I8042::is_port(port);
        value |= u32{is_there ? m_i8042.read(port) : u8{0xff}} << 8 * i;
        if (is_there) {
            settle_input();
        }
    }
    return value;
}

void Board::write_port(PortAccess const& access, u32 value) {
    for (u32 i = 0; i < access.width; ++i) {
        auto const port = static_cast<u16>(access.port + i);
        if (m_config.has_keyboard_controller && I8042::is_port(port)) {
            m_i8042.write(port, static_cast<u8>(value >> 8 * i));
            settle_input();
        }
    }
}

void Board::drive_input_lines() {
    raise(m_lines.drive(I8042::keyboard_line_number, m_i8042.keyboard_line()));
    raise(m_lines.drive(I8042::mouse_line_number, m_i8042.mouse_line()));
}

/// Something has happened to the controller: lines fall before the next byte raises them.
void Board::settle_input() {
    drive_input_lines();
    m_i8042.advance();
    drive_input_lines();
}

template<class What>
bool Board::add_any_input(What const& what) {
    bool is_added = false;
    if (m_config.has_keyboard_controller) {
        std::lock_guard const lock(m_locks->device);
        is_added = m_i8042.add(what);
    }
    if (is_added) {
        m_has_input = true;
        m_owner->input_is_there();
    }
    return is_added;
}
template bool Board::add_any_input(KeyStroke const& what);
template bool Board::add_any_input(MouseMotion const& what);

void Board::advance_input() {
    m_has_input = false; // what comes from here on may be passed on twice, which is once
    std::lock_guard const lock(m_locks->device);
    settle_input();
}

I8042 Board::copy_i8042() const {
    std::lock_guard const lock(m_locks->device);
    return m_i8042;
}

void Board::assign_i8042(I8042 const& controller) {
    std::lock_guard const lock(m_locks->device);
    m_i8042 = controller;
    m_has_input = true; // of which nobody has passed it on here
}

} // namespace hosted
