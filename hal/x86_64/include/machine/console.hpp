// The metal machine: the first serial port is the console; results leave by port 0xE9.
#pragma once

#include "hal/console.hpp"

namespace hal {

struct Console {
    static void write(std::string_view text);
    /// Never answers `end`: a serial line has none.
    static ConsoleInput read();
    static Result<void> raise_on_input(Vector vector);
    static void raise_nothing();
    static void write_result(std::span<std::byte const> record);
};

} // namespace hal
