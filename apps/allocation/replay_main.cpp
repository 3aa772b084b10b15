// twofold-replay: drives allocators with the allocation trace of a real program and compares them.
#include "apps/allocation/replay_report.hpp"
#include "apps/arguments/arguments.hpp"
#include "apps/launch/status.hpp"

#include <algorithm>
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
    std::vector<std::string> allocators;
    u32 repeats = 3;
    Touch touch = Touch::all;
    bool threads = false;
    bool info = false;
    bool json = false;
};

std::map<std::string, Touch> const touches = {{"all", Touch::all}, {"none", Touch::none}};

/// Names separated by commas; the option may be given again.
std::string take_allocators(std::string const& text, std::vector<std::string>& names) {
    for (usize at = 0; at <= text.size();) {
        usize const comma = std::min(text.find(',', at), text.size());
        if (comma == at) {
            return "an allocator's name is empty";
        }
        names.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return {};
}

void add_options(Arguments& arguments, Options& options) {
    using Occurrence = Arguments::Occurrence;
    arguments.add(
        {.name = "TRACE",
         .value_name = "FILE",
         .help = "an allocation trace (twofold-record)",
         .take = store_in(options.trace),
         .occurrence = Occurrence::required});
    arguments.add(
        {.name = "-a,--allocator",
         .value_name = "NAME,...",
         .help = "glibc (default), jemalloc, mimalloc, tcmalloc, twofold, or the path of a "
                 "library; several are compared",
         .take = [&options](
                     std::string const& text) { return take_allocators(text, options.allocators); },
         .occurrence = Occurrence::repeated});
    arguments.add(
        {.name = "-r,--repeats",
         .value_name = "N",
         .help = "how often each one replays, in turns",
         .take = number_in(options.repeats, 1u, repeats_max),
         .default_text = "3"});
    arguments.add(
        {.name = "--touch",
         .value_name = "WHAT",
         .help = "all: write and verify every block (default); none: the calls alone",
         .take = one_of(touches, options.touch)});
    arguments.add_flag(
        "--threads", options.threads, "a thread for every recorded thread; times only");
    arguments.add_flag("--info", options.info, "describe the trace and replay nothing");
    arguments.add_flag("--json", options.json, "print one JSON object with every repeat");
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
        Arguments known(
            program_name,
            "Replays the allocation trace of a real program on allocators. Status 1: one of them "
            "refused a request or lost contents.");
        add_options(known, options);
        if (auto const status = known.parse(count, arguments)) {
            return *status;
        }
        if (options.allocators.empty()) {
            options.allocators = {"glibc"};
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
