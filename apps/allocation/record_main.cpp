// twofold-record: runs a program with the recorder preloaded. The program takes this one's place,
// so that its streams, signals and status are its own.
#include "apps/allocation/companion.hpp"
#include "apps/arguments/arguments.hpp"
#include "apps/launch/status.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>
#include <vector>

namespace twofold::allocation {

namespace {

using launch::Failure;
using launch::Status;

constexpr char const* program_name = "twofold-record";

struct Options {
    std::string output = "allocations.trace";
    bool children = false;
    std::vector<std::string> command;
};

void set_variable(char const* name, std::string const& value) {
    if (setenv(name, value.c_str(), 1) != 0) {
        throw Failure(Status::io, fmt::format("{}: {}", name, std::strerror(errno)));
    }
}

[[noreturn]] void become_program(Options const& options) {
    std::string preload = find_companion("libtwofold-record.so", "allocation").string();
    if (char const* const others = std::getenv("LD_PRELOAD"); others != nullptr) {
        preload += std::string(":") + others;
    }
    set_variable("LD_PRELOAD", preload);
    set_variable("TWOFOLD_RECORD", std::filesystem::absolute(options.output).string());
    set_variable("TWOFOLD_RECORD_CHILDREN", options.children ? "yes" : "no");
    std::vector<char*> arguments;
    for (std::string const& argument : options.command) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    execvp(arguments.front(), arguments.data());
    throw Failure(
        Status::unavailable,
        fmt::format("cannot start '{}': {}", options.command.front(), std::strerror(errno)));
}

} // namespace

} // namespace twofold::allocation

void twofold::check_failed(char const* expression, std::source_location where) {
    fmt::print(
        stderr, "twofold-record: {}:{}: check failed: {}\n", where.file_name(), where.line(),
        expression);
    std::_Exit(static_cast<int>(launch::Status::crash));
}

int main(int count, char** arguments) {
    using namespace twofold;
    using namespace twofold::allocation;
    try {
        Options options;
        Arguments known(
            program_name,
            "Runs a program and writes its allocation trace (docs/allocation-trace-format.md).");
        known.add(
            {.name = "-o,--output",
             .value_name = "FILE",
             .help = "the trace; allocations.trace unless given",
             .take = store_in(options.output)});
        known.add_flag(
            "--children", options.children,
            "record its children too, each to a file of its own: OUTPUT.PROCESS");
        known.add(
            {.name = "PROGRAM",
             .value_name = "WORD...",
             .help = "the program and its arguments, after --",
             .take = append_to(options.command),
             .occurrence = Arguments::Occurrence::several});
        if (auto const status = known.parse(count, arguments)) {
            return *status;
        }
        become_program(options);
    } catch (Failure const& failure) {
        fmt::print(stderr, "{}: {}\n", program_name, failure.what());
        return static_cast<int>(failure.status());
    } catch (std::exception const& error) {
        fmt::print(stderr, "{}: unexpected: {}\n", program_name, error.what());
        return static_cast<int>(Status::crash);
    }
}
