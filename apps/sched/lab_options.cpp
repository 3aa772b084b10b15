// The options of twofold-sched. See lab_options.hpp.
#include "apps/sched/lab_options.hpp"

#include "apps/sched/class_parameters.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

namespace twofold::lab {

namespace {

constexpr double ns_per_s = 1e9;
constexpr double seconds_min = 1e-6;
constexpr double seconds_max = 1e6;
constexpr i64 switch_cost_max = 1'000'000'000;

std::map<std::string, LabMachine> const machine_names = {
    {"process", LabMachine::process}, {"host", LabMachine::host},
    {"sim", LabMachine::sim},         {"metal", LabMachine::metal},
    {"live", LabMachine::live},       {"live-sim", LabMachine::live_sim}};

std::string policy_names() {
    return fmt::format("{}", fmt::join(std::span(Classes::names), ", "));
}

/// Names separated by commas.
std::string take_policies(std::string const& text, std::vector<std::string>& policies) {
    for (usize at = 0; at <= text.size();) {
        usize const comma = std::min(text.find(',', at), text.size());
        std::string name = text.substr(at, comma - at);
        if (!Classes::class_named(name)) {
            return fmt::format("'{}' is none of {}", name, policy_names());
        }
        policies.push_back(std::move(name));
        at = comma + 1;
    }
    return {};
}

std::string take_seconds(std::string const& text, std::optional<Nanos>& duration) {
    double seconds = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    bool const is_number = error == std::errc{} && end == text.data() + text.size();
    if (!is_number || !(seconds >= seconds_min && seconds <= seconds_max)) {
        return "'" + text + "' is not a number of seconds from 0.000001 to 1000000";
    }
    duration = Nanos{static_cast<i64>(seconds * ns_per_s)};
    return {};
}

std::string take_cost(std::string const& text, std::optional<Nanos>& cost) {
    cost.reset();
    if (text == "measured") {
        return {};
    }
    i64 nanoseconds = 0;
    std::string reason = number_in(nanoseconds, i64{0}, switch_cost_max)(text);
    cost = Nanos{nanoseconds};
    return reason;
}

/// What is run.
void add_run_options(Arguments& arguments, LabOptions& options) {
    arguments.add(
        {.name = "-w,--workload",
         .value_name = "NAME|FILE",
         .help = "a generated workload (--list), an rt-app file (JSON), or the text of a schedule "
                 "that Linux recorded (perf sched script, trace-cmd report)",
         .take = store_in(options.workload)});
    arguments.add(
        {.name = "-p,--policy",
         .value_name = "NAME",
         .help = "what threads without a policy of their own are scheduled by: " + policy_names(),
         .take =
             [&options](std::string const& text) {
                 return text.find(',') == std::string::npos
                            ? take_policies(text, options.policies)
                            : "'" + text + "' is several: --compare takes these";
             },
         .default_text = "eevdf"});
    arguments.add(
        {.name = "-c,--compare",
         .value_name = "NAME,...",
         .help = "run under each of these policies, and show one table",
         .take =
             [&options](std::string const& text) { return take_policies(text, options.policies); },
         .excludes = "--policy"});
    arguments.add(
        {.name = "-t,--seconds",
         .value_name = "S",
         .help = "virtual time; unless the workload says so, 5",
         .take = [&options](std::string const& text) {
             return take_seconds(text, options.duration);
         }});
    arguments.add(
        {.name = "--seed",
         .value_name = "N",
         .help = "of a generated workload",
         .take = number_in(options.seed, u64{0}, ~u64{0}),
         .default_text = "1"});
    arguments.add(
        {.name = "--cpus",
         .value_name = "N",
         .help = "processors, in place of the workload's own; 2 if it has none",
         .take = [&options](std::string const& text) {
             u32 cpus = 0;
             std::string reason = number_in(cpus, 1u, cpus_max)(text);
             options.cpus = cpus;
             return reason;
         }});
    arguments.add(
        {.name = "--nodes",
         .value_name = "N",
         .help = "NUMA nodes that these processors lie on",
         .take = number_in(options.nodes, 1u, cpus_max),
         .default_text = "1"});
    arguments.add(
        {.name = "--switch-cost",
         .value_name = "NS|measured",
         .help = "what each switch to a thread costs, in nanoseconds, or as the dispatcher's are "
                 "measured on this host",
         .take =
             [&options](std::string const& text) { return take_cost(text, options.switch_cost); },
         .default_text = "0"});
}

/// Where it is run.
void add_machine_options(Arguments& arguments, LabOptions& options) {
    arguments.add(
        {.name = "-m,--machine",
         .value_name = "NAME",
         .help = "process: this program; host, sim or metal: inside of a kernel, hosted, simulated "
                 "or in QEMU, whose schedule must be the same; live: by threads of the hosted "
                 "kernel, in real time; live-sim: by threads of the simulated kernel",
         .take = one_of(machine_names, options.start.machine),
         .default_text = "process"});
    arguments.add(
        {.name = "--timeout",
         .value_name = "SECONDS",
         .help = "how long a kernel may take",
         .take = number_in(options.start.timeout_s, 0.001, 1e6),
         .default_text = "600"});
}

/// What is shown of it.
void add_report_options(Arguments& arguments, LabOptions& options) {
    arguments.add(
        {.name = "--trace",
         .value_name = "FILE",
         .help = "write a trace for https://ui.perfetto.dev",
         .take = store_in(options.trace)});
    arguments.add(
        {.name = "--plot",
         .value_name = "FILE",
         .help = "draw timelines and latencies (SVG)",
         .take = store_in(options.plot)});
    arguments.add(
        {.name = "--window",
         .value_name = "MS",
         .help = "how much of the time --plot draws, in milliseconds",
         .take = number_in(options.window_ms, i64{1}, i64{1'000'000}),
         .default_text = "200"});
    arguments.add_flag("--each", options.each, "a line for each thread, not for each name");
    arguments.add_flag("--json", options.json, "print one JSON object (docs/laboratory.md)");
    arguments.add_flag("--list", options.list, "list the generated workloads and the policies");
    arguments.set_footer(
        "Examples:\n"
        "  twofold-sched --workload interactive --policy eevdf\n"
        "  twofold-sched --workload server --compare stride,eevdf,rr --plot server.svg\n"
        "  twofold-sched --workload recording.txt --cpus 1 --trace out.pftrace\n"
        "  twofold-sched --workload app.json --seconds 5 --json\n"
        "  twofold-sched --workload convoy --machine metal --seconds 1\n\n"
        "Status 1: a thread was refused by admission control, went round without taking time,\n"
        "the policy gave a wrong answer, or a kernel's schedule is another one.");
}

} // namespace

void add_lab_options(Arguments& arguments, LabOptions& options) {
    add_run_options(arguments, options);
    add_machine_options(arguments, options);
    add_report_options(arguments, options);
}

} // namespace twofold::lab
