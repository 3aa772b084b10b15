// twofold-sched: the laboratory. Runs the kernel's own scheduling policies and dispatcher over a
// workload, in virtual time, in this process or inside of a kernel.
#include "apps/arguments/arguments.hpp"
#include "apps/launch/status.hpp"
#include "apps/sched/generators.hpp"
#include "apps/sched/lab_options.hpp"
#include "apps/sched/perfetto_trace.hpp"
#include "apps/sched/plot.hpp"
#include "apps/sched/recording.hpp"
#include "apps/sched/report.hpp"
#include "apps/sched/rt_app.hpp"
#include "apps/sched/switch_cost.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>

namespace twofold::lab {

namespace {

using launch::Failure;
using launch::Status;

constexpr char const* program_name = "twofold-sched";
constexpr i64 ns_per_ms = 1'000'000;
constexpr Nanos duration_default{5'000'000'000};
constexpr std::streamoff file_bytes_max = std::streamoff{1} << 28;

/// A kernel's schedule is another one than this process's.
class Difference : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

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

RtAppWorkload load_workload(LabOptions const& options) {
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
        if (!check_workload(loaded.workload.view())) {
            throw Failure(
                Status::usage, fmt::format(
                                   "{}: a thread may run on none of {} processors",
                                   options.workload, *options.cpus));
        }
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

/// All runs that the options ask for.
std::vector<RunOptions> plan_runs(LabOptions const& options, RtAppWorkload const& loaded) {
    std::vector<RunOptions> runs;
    runs.reserve(options.policies.size());
    for (std::string const& policy : options.policies) {
        runs.push_back(
            {.policy = policy,
             .switch_cost =
                 options.switch_cost ? *options.switch_cost : measure_switch_cost(policy),
             .duration = options.duration.value_or(loaded.workload.duration),
             .inherits = loaded.inherits});
    }
    return runs;
}

/// The schedules that a kernel makes of the runs, if one is to; each is the one that this process
/// makes of it.
std::vector<Schedule> run_in_kernel(
    LabOptions const& options, Workload const& workload, std::vector<RunOptions> const& planned) {
    if (!has_kernel_engine(options.start.machine)) {
        return {};
    }
    std::vector<Schedule> schedules = run_on_machine(options.start, workload, planned);
    for (usize i = 0; i < planned.size(); ++i) {
        Schedule const here = record_schedule(workload, planned[i]);
        if (auto const difference = compare_schedules(workload, here, schedules[i])) {
            throw Difference(fmt::format(
                "{}: the schedule under '{}' is not the one of this process: {}",
                machine_name(options.start.machine), planned[i].policy, *difference));
        }
    }
    return schedules;
}

/// The runs, and what is drawn of them.
struct Runs {
    std::vector<ReportedRun> reported;
    std::vector<std::unique_ptr<PlotData>> plots;
};

/// Runs all, in this process where `schedules` has none. The trace is written then.
Runs run_all(
    LabOptions const& options,
    Workload const& workload,
    std::vector<RunOptions> const& planned,
    std::vector<Schedule> const& schedules) {
    Nanos const window = std::min(Nanos{options.window_ms * ns_per_ms}, planned.front().duration);
    std::optional<OutputFile> trace;
    if (!options.trace.empty()) {
        trace.emplace(options.trace);
    }
    Runs runs;
    for (usize i = 0; i < planned.size(); ++i) {
        ScheduleDigest digest;
        Sinks sinks{.all = {&digest}};
        std::optional<PerfettoTrace> tracer;
        if (trace) {
            tracer.emplace(workload, planned[i].policy, static_cast<u32>(i), trace->stream());
            sinks.all.push_back(&*tracer);
        }
        runs.plots.push_back(std::make_unique<PlotData>(workload, window));
        sinks.all.push_back(runs.plots.back().get());
        RunOutcome outcome = schedules.empty() ? run_workload(workload, planned[i], sinks)
                                               : replay_schedule(workload, schedules[i], sinks);
        runs.reported.push_back(
            {.policy = planned[i].policy,
             .switch_cost = planned[i].switch_cost,
             .outcome = std::move(outcome),
             .schedule =
                 ScheduleSummary{.happenings = digest.count(), .checksum = digest.checksum()}});
    }
    if (trace) {
        trace->finish();
    }
    return runs;
}

/// All runs by live threads.
Runs run_all_live(
    LabOptions const& options, Workload const& workload, std::vector<RunOptions> const& planned) {
    bool const takes_real_time = options.start.machine == LabMachine::live;
    auto const refuse = [&options](std::string_view why) {
        throw Failure(
            Status::usage,
            fmt::format("--machine {} {}", machine_name(options.start.machine), why));
    };
    if (!options.trace.empty() || !options.plot.empty()) {
        refuse("records no schedule: --trace and --plot need another machine");
    }
    if (options.switch_cost != Nanos{}) {
        refuse("excludes --switch-cost: switches take the time that they take");
    }
    double const all_s =
        static_cast<double>(planned.size()) * static_cast<double>(planned[0].duration.value) / 1e9;
    if (takes_real_time && all_s >= options.start.timeout_s) {
        refuse("takes real time: --timeout is less than the runs take");
    }
    Runs runs;
    std::vector<RunOutcome> outcomes = run_live(options.start, workload, planned);
    for (usize i = 0; i < planned.size(); ++i) {
        runs.reported.push_back(
            {.policy = planned[i].policy,
             .switch_cost = std::nullopt,
             .outcome = std::move(outcomes[i]),
             .schedule = std::nullopt});
    }
    return runs;
}

void draw(
    LabOptions const& options,
    Workload const& workload,
    std::string const& title,
    Runs const& runs) {
    std::vector<PlottedRun> plotted;
    for (usize i = 0; i < runs.plots.size(); ++i) {
        ReportedRun const& run = runs.reported[i];
        plotted.push_back({run.policy, runs.plots[i].get(), all_latencies(run.outcome.figures)});
    }
    OutputFile file(options.plot);
    file.stream() << draw_plot(title, thread_names(workload), plotted);
    file.finish();
}

/// Everything that the options ask for; the reports are on stdout then.
int study(LabOptions const& options) {
    RtAppWorkload const loaded = load_workload(options);
    Workload const workload = loaded.workload.view();
    std::vector<RunOptions> const planned = plan_runs(options, loaded);
    ReportedSetting const setting{
        .workload = loaded.workload.title,
        .seed = options.seed,
        .duration = planned.front().duration,
        .machine = std::string(machine_name(options.start.machine)),
        .is_cost_measured = !options.switch_cost};
    bool const is_live = has_live_threads(options.start.machine);
    Runs const runs =
        is_live ? run_all_live(options, workload, planned)
                : run_all(options, workload, planned, run_in_kernel(options, workload, planned));
    if (!options.plot.empty()) {
        draw(options, workload, setting.workload, runs);
    }
    std::vector<ReportedRun> const& reported = runs.reported;
    fmt::print(
        "{}", options.json           ? report_json(workload, setting, reported)
              : reported.size() == 1 ? run_table(workload, setting, reported.front(), options.each)
                                     : compare_table(workload, setting, reported));
    if (std::fflush(stdout) != 0) {
        throw Failure(Status::io, "the report cannot be written");
    }
    return std::ranges::all_of(reported, is_clean) ? 0 : 1;
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
        LabOptions options;
        Arguments known(
            program_name,
            "Runs the kernel's scheduling policies and its dispatcher over a workload, in virtual "
            "time, in this process or inside of a kernel.");
        add_lab_options(known, options);
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
        return study(options);
    } catch (Failure const& failure) {
        fmt::print(stderr, "{}: {}\n", program_name, failure.what());
        return static_cast<int>(failure.status());
    } catch (Difference const& difference) {
        fmt::print(stderr, "{}: {}\n", program_name, difference.what());
        return 1;
    } catch (std::bad_alloc const&) {
        fmt::print(stderr, "{}: the workload does not fit into memory\n", program_name);
        return static_cast<int>(Status::unavailable);
    } catch (std::exception const& error) {
        fmt::print(stderr, "{}: unexpected: {}\n", program_name, error.what());
        return static_cast<int>(Status::crash);
    }
}
