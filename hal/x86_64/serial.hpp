// The first serial port, polled: a 16550 at COM1, 115200 baud, 8 data bits, no parity, 1 stop bit.
// The stub and the kernel each compile it for themselves.
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

private:
    bool wait_until(u8 status);

    bool m_present = false;
};

} // namespace metal
