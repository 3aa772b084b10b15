// twofold-host: runs the kernel as a Linux process, on a hosted machine. stdout carries only what
// the kernel prints; everything else is said on stderr. Exit statuses: apps/launch/status.hpp.
#include "apps/host/console.hpp"
#include "apps/host/mutant_option.hpp"
#include "apps/host/terminal.hpp"
#include "apps/host/watchdog.hpp"
#include "apps/launch/options.hpp"
#include "apps/launch/streams.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/signals.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <optional>
#include <unistd.h>

namespace twofold::host {

namespace {

using hosted::Machine;
using hosted::Stop;
using launch::Failure;
using launch::Status;

constexpr char const* program_name = "twofold-host";
/// A kernel that idles so often although its input has ended waits for what will never come.
constexpr unsigned idle_after_end_max = 1000;

struct HostOptions {
    launch::RunOptions run;
    unsigned window = 0;
    u32 nodes = 1;
};

void add_options(Arguments& arguments, HostOptions& options) {
    launch::add_run_options(arguments, options.run);
    add_mutant_option(arguments);
    arguments.add(
        {.name = "--window",
         .value_name = "N",
         .help = fmt::format(
             "which reserved address range the machine takes, 0 to {}", hosted::window_count - 1),
         .take = number_in(options.window, 0u, hosted::window_count - 1),
         .default_text = "0"});
    arguments.add(
        {.name = "--nodes",
         .value_name = "N",
         .help = "NUMA nodes that memory and processors are divided into",
         .take = number_in(options.nodes, 1u, hosted::numa_nodes_max),
         .default_text = "1"});
    arguments.add_action(
        "--version", [] { fmt::print("{}\n", TWOFOLD_VERSION); },
        "print the program's version and exit");
}

InputKind input_kind(launch::RunOptions const& run, bool person) {
    if (run.command) {
        return InputKind::none;
    }
    if (run.script) {
        return InputKind::text;
    }
    return person ? InputKind::terminal : InputKind::stream;
}

std::unique_ptr<Machine>
make_machine(HostOptions const& options, bool person, HostConsole& console) {
    hosted::MachineConfig config;
    config.memory_bytes = options.run.memory_bytes;
    config.cpus = options.run.cpus;
    config.window = options.window;
    config.numa_nodes = options.nodes;
    config.command_line = launch::kernel_command_line(options.run, person);
    auto machine = Machine::create(std::move(config), console);
    if (!machine) {
        throw Failure(Status::usage, machine.error());
    }
    return std::move(*machine);
}

/// Waits for what the kernel waits for.
void wait_for_input(HostConsole& console, bool watched, unsigned& idle_after_end) {
    if (!console.told_end()) {
        console.wait();
    } else if (watched) {
        pause(); // only the time can end it now
    } else if (++idle_after_end > idle_after_end_max) {
        throw Failure(Status::crash, "the kernel waits for input, which has ended");
    }
}

int report_exit(HostConsole const& console, int status) {
    if (status == static_cast<int>(Status::panic)) {
        std::string const text = console.journal().panic.value_or("no text");
        spdlog::error("the kernel panicked: {}", text.substr(0, text.find('\n')));
    }
    return status;
}

/// Runs the machine to its end and returns the status of the run.
int run_machine(Machine& machine, HostConsole& console, launch::RunOptions const& run) {
    std::optional<Watchdog> watchdog;
    if (run.timeout_s) {
        watchdog.emplace(machine, *run.timeout_s);
    }
    unsigned idle_after_end = 0;
    while (true) {
        Stop const stop = machine.run();
        console.settle();
        if (console.quit()) {
            spdlog::info("ended by ctrl-A x");
            return static_cast<int>(Status::interrupted);
        }
        switch (stop.kind) {
        case Stop::Kind::waiting_for_input:
            wait_for_input(console, run.timeout_s.has_value(), idle_after_end);
            break;
        case Stop::Kind::reset:
            return static_cast<int>(Status::success); // a run ends where its machine starts anew
        case Stop::Kind::exited:
            return report_exit(console, stop.status);
        case Stop::Kind::crashed:
            spdlog::error("{}; {}", console.journal().progress(), machine.crash_report());
            return static_cast<int>(Status::crash);
        case Stop::Kind::interrupted:
            spdlog::error(
                "no end after {} s; {}\n{}", *run.timeout_s, console.journal().progress(),
                machine.crash_report());
            return static_cast<int>(Status::timeout);
        }
    }
}

int run(HostOptions const& options) {
    check_streams(options.run);
    bool const person = isatty(STDIN_FILENO) == 1 && !options.run.command && !options.run.script;
    std::optional<launch::ResultsFile> results;
    if (options.run.results) {
        results.emplace(*options.run.results);
    }
    HostConsole console(
        input_kind(options.run, person),
        options.run.script ? launch::read_script(*options.run.script) : std::string(),
        results ? &*results : nullptr);
    auto const machine = make_machine(options, person, console);
    hosted::install_crash_report(restore_terminal);
    signal(SIGPIPE, SIG_IGN); // a write to a closed pipe is an error
    if (person) {
        make_terminal_raw(STDIN_FILENO);
    }
    int const status = run_machine(*machine, console, options.run);
    restore_terminal();
    if (results) {
        results->flush();
    }
    return status;
}

} // namespace

} // namespace twofold::host

int main(int count, char** arguments) {
    using namespace twofold::host;
    spdlog::set_default_logger(spdlog::stderr_logger_st(program_name));
    spdlog::set_pattern("%n: %v");
    try {
        HostOptions options;
        twofold::Arguments known(program_name, "Runs the kernel as a Linux process.");
        add_options(known, options);
        if (auto const status = known.parse(count, arguments)) {
            return *status;
        }
        return run(options);
    } catch (Failure const& failure) {
        restore_terminal();
        spdlog::error("{}", failure.what());
        return static_cast<int>(failure.status());
    } catch (std::exception const& error) {
        restore_terminal();
        spdlog::error("unexpected: {}", error.what());
        return static_cast<int>(Status::crash);
    }
}
