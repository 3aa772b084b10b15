// twofold-sched: the laboratory. Runs the kernel's own scheduling policies and dispatcher over a
// workload, in virtual time.
#include "apps/arguments/arguments.hpp"
#include "apps/launch/status.hpp"
#include "apps/sched/generators.hpp"
#include "apps/sched/perfetto_trace.hpp"
#include "apps/sched/plot.hpp"
#include "apps/sched/recording.hpp"
#include "apps/sched/report.hpp"
#include "apps/sched/rt_app.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

namespace twofold::lab {

namespace {

using launch::Failure;
using launch::Status;

constexpr char const* program_name = "twofold-sched";
constexpr i64 ns_per_ms = 1'000'000;
constexpr double ns_per_s = 1e9;
constexpr double seconds_min = 1e-6;
constexpr double seconds_max = 1e6;
constexpr Nanos duration_default{5'000'000'000};
constexpr std::streamoff file_bytes_max = std::streamoff{1} << 28;

struct Options {
    std::string workload;
    std::vector<std::string> policies;
    std::optional<Nanos> duration;
    std::optional<u32> cpus;
    u32 nodes = 1;
    u64 seed = 1;
    i64 switch_cost = 0;
    i64 window_ms = 200;
    std::string trace;
    std::string plot;
    bool each = false;
    bool json = false;
    bool list = false;
};

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

/// What is run.
void add_run_options(Arguments& arguments, Options& options) {
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
         .value_name = "NS",
         .help = "what each switch to a thread costs, in nanoseconds",
         .take = number_in(options.switch_cost, i64{0}, i64{1'000'000'000}),
         .default_text = "0"});
}

/// What is shown of it.
void add_report_options(Arguments& arguments, Options& options) {
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
        "  twofold-sched --workload app.json --seconds 5 --json\n\n"
        "Status 1: a thread was refused by admission control, went round without taking time,\n"
        "or the policy gave a wrong answer.");
}

std::string read_file(std::string const& path) {
    std::ifstream stream(path, std::ios::binary | std::ios::ate);
    auto const size = stream ? static_cast<std::streamoff>(stream.tellg()) : std::streamoff{-1};
    if (size < 0) {
        throw Failure(
            Status::usage,
            fmt::format(
                "'{}' is no generated workload (--list), and as a file cannot be opened: {}", path,
                std::strerror(errno)));
    }
    if (size > file_bytes_max) {
        throw Failure(Status::usage, fmt::format("{}: more than {} bytes", path, file_bytes_max));
    }
    std::string text(static_cast<usize>(size), '\0');
    stream.seekg(0);
    stream.read(text.data(), size);
    if (!stream) {
        throw Failure(Status::io, fmt::format("cannot read '{}'", path));
    }
    return text;
}

bool looks_like_json(std::string_view text) {
    usize const first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '/');
}

RtAppWorkload load_workload(Options const& options) {
    u32 const cpus = options.cpus.value_or(2);
    if (Generator const* const generator = find_generator(options.workload)) {
        return {
            .workload = generate(
                *generator, {.cpus = cpus,
                             .nodes = options.nodes,
                             .seed = options.seed,
                             .duration = options.duration.value_or(duration_default)})};
    }
    std::string const text = read_file(options.workload);
    RtAppWorkload loaded;
    if (looks_like_json(text)) {
        loaded = read_rt_app(
            options.workload, text,
            {.cpus = equal_cpus(cpus, options.nodes), .duration = duration_default});
    } else if (is_recording(text)) {
        loaded.workload = read_recording(options.workload, text);
    } else {
        throw Failure(
            Status::usage,
            fmt::format(
                "{}: this is neither JSON nor the text of perf sched script or trace-cmd report",
                options.workload));
    }
    if (options.cpus) {
        loaded.workload.cpus = equal_cpus(*options.cpus, options.nodes);
    }
    return loaded;
}

void list_all() {
    fmt::print("workloads\n");
    for (Generator const& generator : generators()) {
        fmt::print("  {:<12} {}\n", generator.name, generator.about);
    }
    fmt::print("policies, first those that go before the others\n");
    for (std::string_view const name : Classes::names) {
        fmt::print("  {}\n", name);
    }
}

/// A file that is written as a whole, or else is a failure.
class OutputFile {
public:
    explicit OutputFile(std::string const& path) : m_path(path), m_stream(path, std::ios::binary) {
        if (!m_stream) {
            throw Failure(
                Status::io, fmt::format("'{}' cannot be written: {}", path, std::strerror(errno)));
        }
    }
    std::ofstream& stream() { return m_stream; }
    void finish() {
        m_stream.close();
        if (!m_stream) {
            throw Failure(Status::io, fmt::format("'{}' cannot be written", m_path));
        }
    }

private:
    std::string m_path;
    std::ofstream m_stream;
};

std::vector<i64> all_latencies(RunFigures const& figures) {
    std::vector<i64> all;
    for (ThreadFigures const& thread : figures.threads) {
        all.insert(all.end(), thread.wake_latencies.begin(), thread.wake_latencies.end());
    }
    std::ranges::sort(all);
    return all;
}

bool is_clean(ReportedRun const& run) {
    return !run.outcome.refusal && run.outcome.figures.stuck == nobody &&
           run.outcome.figures.violation == 0;
}

/// Everything that the options ask for; the reports are on stdout then.
int run_all(Options const& options) {
    RtAppWorkload const loaded = load_workload(options);
    Workload const workload = loaded.workload.view();
    ReportedSetting const setting{
        .workload = loaded.workload.title,
        .seed = options.seed,
        .duration = options.duration.value_or(workload.duration),
        .switch_cost = {options.switch_cost}};
    Nanos const window = std::min(Nanos{options.window_ms * ns_per_ms}, setting.duration);

    std::optional<OutputFile> trace;
    if (!options.trace.empty()) {
        trace.emplace(options.trace);
    }
    std::vector<ReportedRun> runs;
    std::vector<std::unique_ptr<PlotData>> plots;
    for (std::string const& policy : options.policies) {
        Sinks sinks;
        std::optional<PerfettoTrace> tracer;
        if (trace) {
            tracer.emplace(workload, policy, static_cast<u32>(runs.size()), trace->stream());
            sinks.all.push_back(&*tracer);
        }
        plots.push_back(std::make_unique<PlotData>(workload, window));
        sinks.all.push_back(plots.back().get());
        runs.push_back(
            {.policy = policy,
             .outcome = run_workload(
                 workload,
                 {.policy = policy,
                  .switch_cost = setting.switch_cost,
                  .duration = setting.duration,
                  .inherits = loaded.inherits},
                 sinks)});
    }
    if (trace) {
        trace->finish();
    }
    if (!options.plot.empty()) {
        std::vector<PlottedRun> plotted;
        for (usize i = 0; i < runs.size(); ++i) {
            plotted.push_back(
                {runs[i].policy, plots[i].get(), all_latencies(runs[i].outcome.figures)});
        }
        OutputFile file(options.plot);
        file.stream() << draw_plot(setting.workload, thread_names(workload), plotted);
        file.finish();
    }
    fmt::print(
        "{}", options.json       ? report_json(workload, setting, runs)
              : runs.size() == 1 ? run_table(workload, setting, runs.front(), options.each)
                                 : compare_table(workload, setting, runs));
    if (std::fflush(stdout) != 0) {
        throw Failure(Status::io, "the report cannot be written");
    }
    return std::ranges::all_of(runs, is_clean) ? 0 : 1;
}

} // namespace

} // namespace twofold::lab

void twofold::check_failed(char const* expression, std::source_location where) {
    fmt::print(
        stderr, "twofold-sched: {}:{}: check failed: {}\n", where.file_name(), where.line(),
        expression);
    std::_Exit(static_cast<int>(launch::Status::crash));
}

int main(int count, char** arguments) {
    using namespace twofold;
    using namespace twofold::lab;
    try {
        Options options;
        Arguments known(
            program_name,
            "Runs the kernel's scheduling policies and its dispatcher over a workload, in virtual "
            "time.");
        add_run_options(known, options);
        add_report_options(known, options);
        if (auto const status = known.parse(count, arguments)) {
            return *status;
        }
        if (options.list) {
            list_all();
            return 0;
        }
        if (options.workload.empty()) {
            throw Failure(Status::usage, "--workload is required (see --list and --help)");
        }
        if (options.policies.empty()) {
            options.policies = {"eevdf"};
        }
        return run_all(options);
    } catch (Failure const& failure) {
        fmt::print(stderr, "{}: {}\n", program_name, failure.what());
        return static_cast<int>(failure.status());
    } catch (std::bad_alloc const&) {
        fmt::print(stderr, "{}: the workload does not fit into memory\n", program_name);
        return static_cast<int>(Status::unavailable);
    } catch (std::exception const& error) {
        fmt::print(stderr, "{}: unexpected: {}\n", program_name, error.what());
        return static_cast<int>(Status::crash);
    }
}
