// The host's side of the probe: see probe.hpp.
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

void twofold::check_failed(char const* expression, std::source_location where) {
    std::fprintf(
        stderr, "check failed: %s at %s:%u\n", expression, where.file_name(), where.line());
    std::abort();
}

namespace hosted::test {

hal::ConsoleInput MemoryConsole::read() {
    if (input.empty()) {
        return {ended ? hal::InputStatus::end : hal::InputStatus::none, '\0'};
    }
    char const byte = input.front();
    input.pop_front();
    return {hal::InputStatus::byte, byte};
}

void MemoryConsole::write_result(std::span<std::byte const> bytes) {
    results.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

std::unique_ptr<Machine> make_machine(Probe& probe, MemoryConsole& console, MachineConfig config) {
    config.command_line = std::to_string(reinterpret_cast<u64>(&probe));
    auto machine = Machine::create(std::move(config), console);
    if (!machine) {
        ADD_FAILURE() << machine.error();
        std::abort();
    }
    return std::move(*machine);
}

Stop run_probe(Probe& probe, MachineConfig config) {
    MemoryConsole console;
    return make_machine(probe, console, std::move(config))->run();
}

} // namespace hosted::test
