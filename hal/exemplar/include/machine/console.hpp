// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/console.hpp"

namespace hal {

struct Console {
    static void write(std::string_view text);
    static ConsoleInput read();
    static Result<void> raise_on_input(Vector vector);
    static void raise_nothing();
    static void write_result(std::span<std::byte const> record);
};

} // namespace hal
