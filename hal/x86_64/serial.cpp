// The 16550. See serial.hpp.
#include "hal/x86_64/serial.hpp"
#include "hal/x86_64/instructions.hpp"

namespace metal {

namespace {

constexpr u16 base = 0x3f8;
constexpr u16 data = base;                 // divisor, low byte, while the latch is open
constexpr u16 interrupt_enable = base + 1; // divisor, high byte
constexpr u16 fifo_control = base + 2;
constexpr u16 line_control = base + 3;
constexpr u16 modem_control = base + 4;
constexpr u16 line_status = base + 5;
constexpr u16 scratch = base + 7;

constexpr u8 eight_bits_no_parity = 0x03;
constexpr u8 divisor_latch = 0x80;
constexpr u8 fifo_on_and_cleared = 0x07;
constexpr u8 ready_and_request = 0x03;
constexpr u8 received = 0x01;
constexpr u8 holding_register_empty = 0x20;
constexpr u8 transmitter_empty = 0x40; // nothing is on its way any more
constexpr u16 divisor = 1;             // 115200 baud

constexpr usize fifo_size = 16;
// A byte takes 87 us at this speed, a poll about 1 us: a port that is not ready after this many has
// died.
constexpr u32 longest_wait_polls = 100'000;

} // namespace

void SerialPort::start() {
    constexpr u8 probe = 0x5a;
    write_port(scratch, probe);
    m_present = read_port(scratch) == probe;
    if (!m_present) {
        return;
    }
    write_port(interrupt_enable, 0);
    write_port(line_control, divisor_latch);
    write_port(data, divisor & 0xff);
    write_port(interrupt_enable, divisor >> 8);
    write_port(line_control, eight_bits_no_parity);
    write_port(fifo_control, fifo_on_and_cleared);
    write_port(modem_control, ready_and_request);
}

bool SerialPort::wait_until(u8 status) {
    for (u32 poll = 0; poll < longest_wait_polls; ++poll) {
        if ((read_port(line_status) & status) != 0) {
            return true;
        }
        asm volatile("pause");
    }
    return false;
}

void SerialPort::write(std::string_view text) {
    while (m_present && !text.empty()) {
        if (!wait_until(holding_register_empty)) {
            m_present = false;
            return;
        }
        usize const count = text.size() < fifo_size ? text.size() : fifo_size;
        write_port_bytes(data, text.data(), count);
        text.remove_prefix(count);
    }
}

void SerialPort::drain() {
    if (m_present) {
        m_present = wait_until(transmitter_empty);
    }
}

std::optional<char> SerialPort::read() {
    if (!m_present || (read_port(line_status) & received) == 0) {
        return std::nullopt;
    }
    return static_cast<char>(read_port(data));
}

} // namespace metal
