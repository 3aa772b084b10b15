// The machine that the kernel's tests run on in a process: live or simulated, by what is linked.
#pragma once

#include "hal/hosted/machine.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace twofold::test {

/// As Machine::create.
std::expected<std::unique_ptr<hosted::Machine>, std::string>
make_machine(hosted::MachineConfig config, hosted::ConsoleEndpoint& console);

/// Takes an option of the engine; false: it has none of that name.
bool take_engine_option(std::string_view name, std::string const& value);

} // namespace twofold::test
