// Options of a run: validation, and the kernel's command line. See options.hpp.
#include "apps/launch/options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>

namespace twofold::launch {

namespace {

template<class T>
std::optional<T> parse_number(std::string_view text) {
    T value{};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

u64 host_memory_bytes() {
    return static_cast<u64>(sysconf(_SC_PHYS_PAGES)) * static_cast<u64>(sysconf(_SC_PAGESIZE));
}

// Each takes the text of an option: stores its value, or answers why it is refused
// (Arguments::Take).

std::string take_cpus(std::string const& text, u32& cpus) {
    auto const value = parse_number<u32>(text);
    if (!value || *value == 0 || *value > cpus_max) {
        return fmt::format("'{}' is not a number of processors from 1 to {}", text, cpus_max);
    }
    cpus = *value;
    return {};
}

std::string take_memory(std::string const& text, u64& memory_bytes) {
    auto const size = parse_size(text);
    if (!size) {
        bool const huge = size.error() == Error::out_of_range;
        char const* const reason = huge ? "is too large" : "is not a size";
        return fmt::format("'{}' {}; write for instance 64M or 2G", text, reason);
    }
    u64 const bytes = size.value().value;
    if (bytes == 0) {
        return "a machine needs some memory; write for instance 64M";
    }
    if (bytes % memory_granule_bytes != 0) {
        return fmt::format("'{}' is not a multiple of 4K", text);
    }
    if (u64 const present = host_memory_bytes(); bytes > present) {
        return fmt::format("'{}' is more than this host has ({}M)", text, present >> 20);
    }
    memory_bytes = bytes;
    return {};
}

std::string take_timeout(std::string const& text, std::optional<double>& timeout_s) {
    auto const value = parse_number<double>(text);
    if (!value || !std::isfinite(*value) || *value <= 0 || *value > timeout_max_s) {
        return fmt::format(
            "'{}' is not a number of seconds greater than 0 and at most {}", text, timeout_max_s);
    }
    timeout_s = *value;
    return {};
}

std::string take_script(std::string const& text, std::optional<std::filesystem::path>& script) {
    std::error_code error;
    auto const kind = std::filesystem::status(text, error).type();
    if (kind == std::filesystem::file_type::not_found) {
        return fmt::format("there is no file '{}'", text);
    }
    if (kind == std::filesystem::file_type::directory) {
        return fmt::format("'{}' is a folder; name a file of kernel commands", text);
    }
    script = text;
    return {};
}

std::string take_module(std::string const& text, std::optional<std::filesystem::path>& module) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(text, error)) {
        return fmt::format("there is no file '{}'", text);
    }
    if (std::filesystem::file_size(text, error) == 0 || error) {
        return fmt::format("'{}' is empty", text);
    }
    module = text;
    return {};
}

bool is_control(char letter) {
    auto const code = static_cast<unsigned char>(letter);
    return code < 0x20 || code == 0x7f;
}

void refuse_control_characters(std::string_view option, std::string_view text) {
    auto const bad = std::find_if(text.begin(), text.end(), is_control);
    if (bad != text.end()) {
        throw Failure(
            Status::usage,
            fmt::format(
                "{}: byte {} is the control character 0x{:02x}; separate commands by ';'", option,
                bad - text.begin(), static_cast<unsigned char>(*bad)));
    }
}

/// `text` in single quotes, with a backslash before each quote and backslash inside.
std::string in_quotes(std::string_view text) {
    std::string out = "'";
    for (char const letter : text) {
        if (letter == '\'' || letter == '\\') {
            out += '\\';
        }
        out += letter;
    }
    return out + '\'';
}

/// Refuses what a console would take for something else than text.
void check_script_text(std::filesystem::path const& path, std::string_view text) {
    usize line = 1;
    for (char const letter : text) {
        if (is_control(letter) && letter != '\n' && letter != '\r' && letter != '\t') {
            throw Failure(
                Status::usage, fmt::format(
                                   "--script: line {} of '{}' has the control character 0x{:02x}; "
                                   "a script is a text of kernel commands",
                                   line, path.string(), static_cast<unsigned char>(letter)));
        }
        line += letter == '\n' ? 1 : 0;
    }
}

} // namespace

void add_run_options(Arguments& arguments, RunOptions& options) {
    auto const taking = [](auto take, auto& target) {
        return [take, &target](std::string const& text) { return take(text, target); };
    };
    arguments.add(
        {.name = "--cpus",
         .value_name = "N",
         .help = "number of processors",
         .take = taking(take_cpus, options.cpus),
         .default_text = "1"});
    arguments.add(
        {.name = "--memory",
         .value_name = "SIZE",
         .help = "memory of the machine: K, M, G or T",
         .take = taking(take_memory, options.memory_bytes),
         .default_text = "64M"});
    arguments.add(
        {.name = "--command",
         .value_name = "TEXT",
         .help = "kernel commands to run ('a; b'), then power off",
         .take = store_in(options.command)});
    arguments.add(
        {.name = "--script",
         .value_name = "FILE",
         .help = "file of kernel commands, one a line, then power off",
         .take = taking(take_script, options.script),
         .excludes = "--command"});
    arguments.add(
        {.name = "--timeout",
         .value_name = "SECONDS",
         .help = "end the run after this time; its status is 124",
         .take = taking(take_timeout, options.timeout_s)});
    arguments.add_flag("--json", options.json, "commands print JSON");
    arguments.add(
        {.name = "--results",
         .value_name = "FILE",
         .help = "write the result records there, one JSON object a line",
         .take = store_in(options.results)});
    arguments.add(
        {.name = "--module",
         .value_name = "FILE",
         .help = "a file that the kernel finds in its memory",
         .take = taking(take_module, options.module)});
    arguments.add(
        {.name = "--append",
         .value_name = "TEXT",
         .help = "further words of the kernel's command line",
         .take = store_in(options.append)});
}

std::string
kernel_command_line(RunOptions const& options, bool interactive, std::string_view leading) {
    refuse_control_characters("command line", leading);
    std::string line(leading);
    bool const person = interactive && !options.command && !options.script;
    line += line.empty() ? "" : " ";
    line += person ? "console=interactive" : "console=pipe";
    if (options.json) {
        line += " json=on";
    }
    if (options.command) {
        refuse_control_characters("--command", *options.command);
        line += " command=" + in_quotes(*options.command);
    }
    if (!options.append.empty()) {
        refuse_control_characters("--append", options.append);
        line += ' ' + options.append;
    }
    if (line.size() > command_line_bytes_max) {
        throw Failure(
            Status::usage,
            fmt::format(
                "the kernel's command line would have {} bytes, at most {} fit; put the commands "
                "into a file and use --script",
                line.size(), command_line_bytes_max));
    }
    return line;
}

std::string read_script(std::filesystem::path const& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const file(
        std::fopen(path.c_str(), "rbe"), std::fclose);
    if (!file) {
        throw Failure(
            Status::usage,
            fmt::format("--script: cannot open '{}': {}", path.string(), std::strerror(errno)));
    }
    std::string text;
    char chunk[65536];
    while (usize const got = std::fread(chunk, 1, sizeof(chunk), file.get())) {
        text.append(chunk, got);
        if (text.size() > script_bytes_max) {
            throw Failure(
                Status::usage,
                fmt::format(
                    "--script: '{}' has more than {} bytes", path.string(), script_bytes_max));
        }
    }
    if (std::ferror(file.get()) != 0) {
        throw Failure(
            Status::io,
            fmt::format("--script: cannot read '{}': {}", path.string(), std::strerror(errno)));
    }
    check_script_text(path, text);
    if (!text.empty() && text.back() != '\n') {
        text += '\n';
    }
    return text;
}

std::vector<std::byte> read_module(std::filesystem::path const& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const file(
        std::fopen(path.c_str(), "rbe"), std::fclose);
    std::vector<std::byte> bytes;
    std::byte chunk[65536];
    while (usize const got = file ? std::fread(chunk, 1, sizeof(chunk), file.get()) : 0) {
        auto const taken = std::span(chunk).first(got);
        bytes.insert(bytes.end(), taken.begin(), taken.end());
    }
    if (!file || std::ferror(file.get()) != 0) {
        throw Failure(
            Status::io,
            fmt::format("--module: cannot read '{}': {}", path.string(), std::strerror(errno)));
    }
    return bytes;
}

} // namespace twofold::launch
