// A machine's program as a process of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace twofold::lab {

/// Runs a program to its end, without input and with its outputs in files; its status, or that of a
/// crash. It ends with this process. An interrupt from the terminal is the program's alone, whose
/// status tells of it. Throws launch::Failure if it cannot be started.
int run_program(
    std::vector<std::string> arguments,
    std::filesystem::path const& out,
    std::filesystem::path const& err);

} // namespace twofold::lab
