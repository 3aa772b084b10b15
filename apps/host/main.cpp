// twofold-host: runs the kernel as a Linux process, on a hosted machine. stdout carries only what
// the kernel prints; everything else is said on stderr. Exit statuses: apps/launch/status.hpp.
#include "apps/drivers/twins.hpp"
#include "apps/host/console.hpp"
#include "apps/host/display.hpp"
#include "apps/host/engine_options.hpp"
#include "apps/host/input_pump.hpp"
#include "apps/host/mutant_option.hpp"
#include "apps/host/terminal.hpp"
#include "apps/host/watchdog.hpp"
#include "apps/launch/options.hpp"
#include "apps/launch/streams.hpp"
#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/devices/virtio_block.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/signals.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <optional>
#include <ranges>
#include <unistd.h>
#include <vector>

namespace twofold::host {

namespace {

using hosted::Machine;
using hosted::Stop;
using launch::Failure;
using launch::Status;

struct HostOptions {
    launch::RunOptions run;
    EngineOptions engine;
    unsigned window = 0;
    u32 nodes = 1;
    std::vector<hal::CoreClass> core_classes;
    std::vector<u32> dead_processors;
    std::optional<display::DisplayChoice> display;
    std::vector<launch::DiskOption> disks;
};

/// A list of classes, P (performance), E (efficiency) or U (uniform). The answer is what is wrong.
std::string take_core_classes(std::string const& text, std::vector<hal::CoreClass>& classes) {
    classes.clear();
    for (auto const word : std::views::split(text, ',')) {
        std::string_view const name(word.begin(), word.end());
        if (name == "P") {
            classes.push_back(hal::CoreClass::performance);
        } else if (name == "E") {
            classes.push_back(hal::CoreClass::efficiency);
        } else if (name == "U") {
            classes.push_back(hal::CoreClass::uniform);
        } else {
            return fmt::format(
                "'{}' is not a list of core classes: P, E or U, with commas between them", text);
        }
    }
    return {};
}

/// A list of processors' numbers.
std::string take_processors(std::string const& text, std::vector<u32>& processors) {
    processors.clear();
    for (auto const word : std::views::split(text, ',')) {
        u32 number = 0;
        auto const take = number_in(number, 1u, hosted::cpus_max - 1);
        if (!take(std::string(word.begin(), word.end())).empty()) {
            return fmt::format(
                "'{}' is not a list of processors, 1 to {} with commas between them", text,
                hosted::cpus_max - 1);
        }
        processors.push_back(number);
    }
    return {};
}

void add_options(Arguments& arguments, HostOptions& options) {
    launch::add_run_options(arguments, options.run);
    add_mutant_option(arguments);
    options.engine.add_to(arguments);
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
    arguments.add(
        {.name = "--core-classes",
         .value_name = "LIST",
         .help = "what the processors are declared to be, as 'P,P,E,E'; repeated for more of them",
         .take =
             [&options](std::string const& text) {
                 return take_core_classes(text, options.core_classes);
             },
         .default_text = "U"});
    arguments.add(
        {.name = "--dead-processors",
         .value_name = "LIST",
         .help = "processors that do not answer when they are started, as '2,3'",
         .take =
             [&options](std::string const& text) {
                 return take_processors(text, options.dead_processors);
             },
         .default_text = ""});
    arguments.add(
        {.name = "--display",
         .value_name = "KIND",
         .help = fmt::format("a display, and where its frames go: {}", display::display_choices),
         .take =
             [&options](std::string const& text) {
                 return display::take_display(text, options.display);
             },
         .default_text = ""});
    arguments.add(
        {.name = "--disk",
         .value_name = "DISK",
         .help = fmt::format("a disk; repeatable: {}", launch::disk_choices),
         .take =
             [&options](std::string const& text) { return launch::take_disk(text, options.disks); },
         .occurrence = Arguments::Occurrence::repeated});
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

/// The device of a disk, which is the machine's with that number.
std::shared_ptr<hosted::PciDevice> make_disk(
    launch::DiskOption const& disk, usize number, std::shared_ptr<hosted::NvmeMedium> medium) {
    constexpr u32 virtio_queues = 8; // as many as the kernel's driver uses
    std::string const name = fmt::format("disk{}", number);
    switch (disk.kind) {
    case launch::DiskOption::Kind::nvme:
        break;
    case launch::DiskOption::Kind::virtio:
        return std::make_shared<hosted::VirtioBlock>(
            std::move(medium), hosted::VirtioBlockConfig{.queues = virtio_queues, .id = name});
    }
    return std::make_shared<hosted::NvmeController>(
        hosted::NvmeConfig{.media = {std::move(medium)}, .serial = name});
}

std::unique_ptr<Machine> make_machine(
    HostOptions const& options, bool person, HostConsole& console, HostDisplay const* display) {
    hosted::MachineConfig config;
    if (display != nullptr) {
        config.devices.push_back(display->device());
    }
    for (usize number = 0; number < options.disks.size(); ++number) {
        auto medium = options.engine.make_medium(options.disks[number], number);
        config.devices.push_back(make_disk(options.disks[number], number, std::move(medium)));
    }
    auto const twins = selected_twins();
    config.devices.insert(config.devices.end(), twins.begin(), twins.end());
    config.memory_bytes = options.run.memory_bytes;
    config.cpus = options.run.cpus;
    config.window = options.window;
    config.numa_nodes = options.nodes;
    config.core_classes = options.core_classes;
    config.dead_processors = options.dead_processors;
    if (options.run.module) {
        config.modules.push_back({.name = "", .bytes = launch::read_module(*options.run.module)});
    }
    config.command_line =
        launch::kernel_command_line(options.run, person, display != nullptr ? "display=on" : "");
    auto machine = options.engine.create(std::move(config), console);
    if (!machine) {
        throw Failure(Status::usage, machine.error());
    }
    return std::move(*machine);
}

/// Whether another thread looks for input, since the kernel is to hear of it while it works.
bool is_input_pumped(HostConsole const& console) {
    return EngineOptions::hears_input_always() || console.is_typed();
}

/// Waits for what the kernel waits for: input that it has asked for, or an interrupt.
void wait_for_kernel(Machine& machine, HostConsole const& console, bool watched) {
    bool const is_pumped = is_input_pumped(console);
    bool const awaited = console.is_awaited();
    if (!awaited && !watched && !machine.can_wake()) {
        throw Failure(
            Status::crash, console.told_end() ? "the kernel waits for input, which has ended"
                                              : "the kernel waits for what can never come");
    }
    machine.wait(awaited && !is_pumped ? STDIN_FILENO : -1);
}

int report_exit(HostConsole const& console, int status) {
    restore_terminal(); // what is said goes to the usual screen
    if (status == static_cast<int>(Status::panic)) {
        std::string const text = console.journal().panic.value_or("no text");
        spdlog::error("the kernel panicked: {}", text.substr(0, text.find('\n')));
    }
    return status;
}

/// How a run that somebody has interrupted ends.
int report_interruption(
    Machine const& machine,
    HostConsole const& console,
    HostDisplay const* display,
    std::optional<double> timeout_s) {
    restore_terminal();
    if (display != nullptr && display->is_closed() && !Watchdog::expired()) {
        spdlog::info("ended by its window, which was closed");
        return static_cast<int>(Status::success);
    }
    spdlog::error(
        "no end after {} s; {}\n{}", timeout_s.value_or(0), console.journal().progress(),
        machine.crash_report());
    return static_cast<int>(Status::timeout);
}

/// Runs the machine to its end and returns the status of the run.
int run_machine(
    Machine& machine,
    HostConsole& console,
    launch::RunOptions const& run,
    HostDisplay const* display) {
    std::optional<Watchdog> watchdog;
    if (run.timeout_s) {
        watchdog.emplace(machine, *run.timeout_s);
    }
    std::optional<InputPump> pump;
    if (is_input_pumped(console)) {
        pump.emplace(console, machine);
    }
    while (true) {
        Stop const stop = machine.run();
        if (console.quit()) {
            restore_terminal();
            spdlog::info("ended by ctrl-A x");
            return static_cast<int>(Status::interrupted);
        }
        switch (stop.kind) {
        case Stop::Kind::waiting_for_input:
            wait_for_kernel(
                machine, console,
                run.timeout_s.has_value() || (display != nullptr && display->can_wake()));
            break;
        case Stop::Kind::reset:
            return static_cast<int>(Status::success); // a run ends where its machine starts anew
        case Stop::Kind::exited:
            return report_exit(console, stop.status);
        case Stop::Kind::stalled:
            restore_terminal();
            spdlog::error(
                "{}; the workload completes nothing any more", console.journal().progress());
            return static_cast<int>(Status::timeout);
        case Stop::Kind::power_cut:
            spdlog::info("power has gone, and comes back");
            machine.reset();
            break;
        case Stop::Kind::paused:   // without a limit none pauses
        case Stop::Kind::objected: // no oracle is asked
        case Stop::Kind::crashed:
            restore_terminal();
            spdlog::error("{}; {}", console.journal().progress(), machine.crash_report());
            return static_cast<int>(Status::crash);
        case Stop::Kind::interrupted:
            return report_interruption(machine, console, display, run.timeout_s);
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
    std::optional<HostDisplay> display;
    if (options.display) {
        display.emplace(*options.display, EngineOptions::program_name());
    }
    HostDisplay* const shown = display ? &*display : nullptr;
    auto const machine = make_machine(options, person, console, shown);
    hosted::install_crash_report(restore_terminal);
    signal(SIGPIPE, SIG_IGN); // a write to a closed pipe is an error
    if (person) {
        make_terminal_raw(STDIN_FILENO);
    }
    int status = 0;
    {
        DisplayConnection const connection(shown, *machine, 0);
        status = run_machine(*machine, console, options.run, shown);
    }
    restore_terminal();
    if (std::string const summary = options.engine.summary(); !summary.empty()) {
        spdlog::info("{}", summary);
    }
    if (results) {
        results->flush();
    }
    if (display) {
        display->finish();
    }
    return status;
}

} // namespace

} // namespace twofold::host

int main(int count, char** arguments) {
    using namespace twofold::host;
    spdlog::set_default_logger(spdlog::stderr_logger_st(EngineOptions::program_name()));
    spdlog::set_pattern("%n: %v");
    try {
        HostOptions options;
        twofold::Arguments known(EngineOptions::program_name(), EngineOptions::program_purpose());
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
