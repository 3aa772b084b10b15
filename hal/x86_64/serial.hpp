// The first serial port: a 16550 at COM1, 115200 baud, 8 data bits, no parity, 1 stop bit. It is
// polled; its interrupt only wakes whoever sleeps. The stub and the kernel each compile it for
// themselves.
//
// Several processors may use it at once: what each writes arrives whole in pieces of 16 bytes. The
// lock of the registers is held for such a piece at most, with interrupts disabled, and who has
// waited for it far longer than that goes ahead: its holder was stopped for good, and the message
// may be a panic's.
//
// Source: National Semiconductor PC16550D data sheet.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <string_view>

namespace metal {

using namespace twofold;

class SerialPort {
public:
    /// Programs the port, if there is one; call first. O(1).
    void start();
    /// Writes all of `text`, as fast as the line takes it; without a port, or with one that never
    /// gets ready, it is lost. O(n).
    void write(std::string_view text);
    /// Waits until everything written has left the port: before the machine ends. O(1) bytes.
    void drain();
    /// One received byte, if there is one. Never waits. O(1).
    std::optional<char> read();
    /// Whether a byte waits to be read. O(1).
    bool has_input() const;
    bool is_present() const { return m_present.load(relaxed); }
    /// From now on received bytes raise the port's interrupt. O(1).
    void interrupt_on_input();

private:
    bool wait_until(u8 status);
    usize write_piece(std::string_view text);

    Atomic<bool> m_present{false};
    Atomic<u32> m_busy{0}; ///< 1: the registers are in use
};

} // namespace metal
