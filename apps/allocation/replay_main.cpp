// twofold-replay: drives allocators with the allocation trace of a real program and compares them.
#include "apps/allocation/replay_report.hpp"
#include "apps/launch/options.hpp"
#include "apps/launch/status.hpp"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <map>

namespace twofold::allocation {

namespace {

using launch::Failure;
using launch::Status;

constexpr char const* program_name = "twofold-replay";
constexpr u32 repeats_max = 1000;

struct Options {
    std::string trace;
    std::vector<std::string> allocators = {"glibc"};
    u32 repeats = 3;
    Touch touch = Touch::all;
    bool threads = false;
    bool info = false;
    bool json = false;
};

void add_options(CLI::App& app, Options& options) {
    std::map<std::string, Touch> const touches = {{"all", Touch::all}, {"none", Touch::none}};
    app.add_option("TRACE", options.trace, "an allocation trace (twofold-record)")->required();
    app.add_option(
           "-a,--allocator", options.allocators,
           "glibc, jemalloc, mimalloc, tcmalloc, twofold, or the path of a library; several "
           "are compared")
        ->delimiter(',');
    app.add_option("-r,--repeats", options.repeats, "how often each one replays, in turns")
        ->check(CLI::Range(u32{1}, repeats_max));
    app.add_option(
           "--touch", options.touch, "all: write and verify every block; none: the calls alone")
        ->transform(CLI::CheckedTransformer(touches));
    app.add_flag("--threads", options.threads, "a thread for every recorded thread; times only");
    app.add_flag("--info", options.info, "describe the trace and replay nothing");
    app.add_flag("--json", options.json, "print one JSON object with every repeat");
}

std::vector<std::byte> read_trace(std::string const& path) {
    std::ifstream stream(path, std::ios::binary | std::ios::ate);
    auto const size = stream ? static_cast<std::streamoff>(stream.tellg()) : std::streamoff{-1};
    if (size < 0) {
        throw Failure(
            Status::usage, fmt::format("cannot open '{}': {}", path, std::strerror(errno)));
    }
    std::vector<std::byte> bytes(static_cast<usize>(size));
    stream.seekg(0);
    stream.read(static_cast<char*>(static_cast<void*>(bytes.data())), size);
    if (!stream) {
        throw Failure(Status::io, fmt::format("cannot read '{}'", path));
    }
    return bytes;
}

int replay_trace(Options const& options) {
    std::vector<std::byte> const file = read_trace(options.trace);
    TraceProblem problem;
    auto made = make_schedule(file, options.threads ? Places::unique : Places::recycled, problem);
    if (!made) {
        throw Failure(
            Status::usage,
            fmt::format("{} {} (byte {})", options.trace, problem.what, problem.offset));
    }
    Schedule const schedule = std::move(made).value();
    std::vector<AllocatorFigures> figures;
    if (!options.info) {
        MeasurementPlan plan{
            .allocators = {},
            .repeats = options.repeats,
            .touch = options.touch,
            .threads = options.threads};
        for (std::string const& given : options.allocators) {
            plan.allocators.push_back(find_allocator(given));
        }
        figures = measure(schedule, plan);
    }
    std::string const text = options.json ? report_json(options.trace, schedule, figures)
                             : options.info
                                 ? describe(schedule)
                                 : describe(schedule) + '\n' + report_table(schedule, figures);
    fmt::print("{}", text);
    if (std::fflush(stdout) != 0) {
        throw Failure(Status::io, "the report cannot be written");
    }
    bool const clean = std::ranges::all_of(
        figures, [](AllocatorFigures const& one) { return one.outcome.clean(); });
    return clean ? 0 : 1;
}

} // namespace

} // namespace twofold::allocation

void twofold::check_failed(char const* expression, std::source_location where) {
    fmt::print(
        stderr, "twofold-replay: {}:{}: check failed: {}\n", where.file_name(), where.line(),
        expression);
    std::_Exit(static_cast<int>(launch::Status::crash));
}

int main(int count, char** arguments) {
    using namespace twofold;
    using namespace twofold::allocation;
    try {
        Options options;
        CLI::App app(
            "Replays the allocation trace of a real program on allocators. Status 1: one of them "
            "refused a request or lost contents.",
            program_name);
        add_options(app, options);
        if (auto const status = launch::parse_arguments(app, count, arguments)) {
            return *status;
        }
        return replay_trace(options);
    } catch (Failure const& failure) {
        fmt::print(stderr, "{}: {}\n", program_name, failure.what());
        return static_cast<int>(failure.status());
    } catch (std::exception const& error) {
        fmt::print(stderr, "{}: unexpected: {}\n", program_name, error.what());
        return static_cast<int>(Status::crash);
    }
}
