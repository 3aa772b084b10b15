// The options that every program that runs a kernel shares, and what they become: the kernel's
// command line and the bytes of its script. Neighbours: status.hpp (how a run ends), boot_main.cpp
// and the hosted machine's program, which add options of their own.
#pragma once

#include "apps/arguments/arguments.hpp"
#include "apps/launch/status.hpp"
#include "core/base/base.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twofold::launch {

inline constexpr u32 cpus_max = 1024;
inline constexpr u64 memory_granule_bytes = 4096;
inline constexpr u64 memory_default_bytes = u64{64} << 20;
inline constexpr double timeout_max_s = 1e6;
/// Longest kernel command line: what every boot protocol carries.
inline constexpr usize command_line_bytes_max = 4095;
/// Longest script; more than any person writes, less than memory suffers from.
inline constexpr usize script_bytes_max = usize{16} << 20;
/// End of transmission: in pipe mode the console takes it for the end of its input.
inline constexpr char end_of_input = '\x04';

struct RunOptions {
    u32 cpus = 1;
    u64 memory_bytes = memory_default_bytes;
    std::optional<std::string> command;           ///< kernel commands, then power off
    std::optional<std::filesystem::path> script;  ///< a file of kernel commands, one a line
    std::optional<double> timeout_s;              ///< how long the run may take
    bool json = false;                            ///< commands print JSON
    std::optional<std::filesystem::path> results; ///< result records as JSON lines go here
    std::optional<std::filesystem::path> module;  ///< a file that the kernel finds in its memory
    std::string append;                           ///< further words of the kernel's command line
};

/// Adds --cpus, --memory, --command, --script, --timeout, --json, --results, --module and --append,
/// each validated. `options` must outlive the parse.
void add_run_options(Arguments& arguments, RunOptions& options);

/// The kernel's command line. `interactive`: a person types (echo and prompt); a command or script
/// always makes it a pipe. `further` words are placed last, after those of --append. Throws Failure
/// (64) if a control character is in it or it is longer than command_line_bytes_max. O(n).
std::string
kernel_command_line(RunOptions const& options, bool interactive, std::string_view further = {});

/// The script's bytes, always ended by a newline unless empty. Throws Failure: 64 if the file
/// cannot be read as a script (a folder, a control character, too long), 74 if reading fails. O(n).
std::string read_script(std::filesystem::path const& path);

/// The bytes of a module. Throws Failure (74) if reading fails. O(n).
std::vector<std::byte> read_module(std::filesystem::path const& path);

} // namespace twofold::launch
