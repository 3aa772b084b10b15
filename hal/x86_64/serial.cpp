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
constexpr u8 interrupts_connected = 0x08; // OUT2: a PC's gate between the port and its line
constexpr u8 interrupt_on_received = 0x01;
constexpr u8 received = 0x01;
constexpr u8 holding_register_empty = 0x20;
constexpr u8 transmitter_empty = 0x40; // nothing is on its way any more
constexpr u16 divisor = 1;             // 115200 baud

constexpr usize fifo_size = 16;
// A byte takes 87 us at this speed, a poll about 1 us: a port that is not ready after this many has
// died.
constexpr u32 longest_wait_polls = 100'000;

// Far more than a holder needs for one piece.
constexpr u32 longest_hold_polls = 100'000;

/// Holds the registers for a scope, with interrupts disabled, or goes ahead without.
class [[nodiscard]] Hold {
public:
    explicit Hold(Atomic<u32>& busy) : m_busy(busy) {
        asm volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(m_flags) : : "memory");
        for (u32 poll = 0; m_busy.exchange(1, acquire) != 0 && poll < longest_hold_polls; ++poll) {
            asm volatile("pause");
        }
    }
    Hold(Hold const&) = delete;
    Hold& operator=(Hold const&) = delete;
    ~Hold() {
        m_busy.store(0, release);
        asm volatile("pushq %0\n\tpopfq" : : "r"(m_flags) : "memory", "cc");
    }

private:
    Atomic<u32>& m_busy;
    u64 m_flags;
};

} // namespace

void SerialPort::start() {
    constexpr u8 probe = 0x5a;
    write_port(scratch, probe);
    if (read_port(scratch) != probe) {
        return;
    }
    write_port(interrupt_enable, 0);
    write_port(line_control, divisor_latch);
    write_port(data, divisor & 0xff);
    write_port(interrupt_enable, divisor >> 8);
    write_port(line_control, eight_bits_no_parity);
    write_port(fifo_control, fifo_on_and_cleared);
    write_port(modem_control, ready_and_request);
    m_present.store(true, relaxed);
}

void SerialPort::interrupt_on_input() {
    if (is_present()) {
        write_port(modem_control, ready_and_request | interrupts_connected);
        write_port(interrupt_enable, interrupt_on_received);
    }
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

/// As much of `text` as the queue takes at once; 0: it is not empty yet. One look at the status for
/// each piece, which leads out of a virtual machine as each byte does.
usize SerialPort::write_piece(std::string_view text) {
    Hold const hold(m_busy);
    if ((read_port(line_status) & holding_register_empty) == 0) {
        return 0;
    }
    usize const count = text.size() < fifo_size ? text.size() : fifo_size;
    write_port_bytes(data, text.data(), count);
    return count;
}

void SerialPort::write(std::string_view text) {
    while (is_present() && !text.empty()) {
        usize const written = write_piece(text);
        text.remove_prefix(written);
        if (written == 0 && !wait_until(holding_register_empty)) {
            m_present.store(false, relaxed);
        }
    }
}

void SerialPort::drain() {
    if (is_present() && !wait_until(transmitter_empty)) {
        m_present.store(false, relaxed);
    }
}

bool SerialPort::has_input() const {
    return is_present() && (read_port(line_status) & received) != 0;
}

std::optional<char> SerialPort::read() {
    if (!has_input()) {
        return std::nullopt;
    }
    Hold const hold(m_busy);
    if (!has_input()) {
        return std::nullopt;
    }
    return static_cast<char>(read_port(data));
}

} // namespace metal
