// See schedule_file.hpp.
#include "sim/record/schedule_file.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace twofold::sim {

namespace {

using hosted::Grant;
using launch::Failure;
using launch::Status;

constexpr std::string_view title = "twofold-schedule 1";
constexpr std::string_view one_time = "one-time", own_times = "own-times";
constexpr std::string_view end_line = "end";
constexpr u32 slots_max = 64;

/// The turn that a line is; none: it is none.
std::optional<Grant> grant_of(std::string const& line) {
    std::istringstream words(line);
    Grant grant;
    std::string rest;
    // A stream would take '-1' for a large processor.
    if (!(words >> grant.slot >> grant.stretch_ns) || words >> rest || line.front() == '-' ||
        grant.stretch_ns < 0 || grant.slot >= slots_max) {
        return std::nullopt;
    }
    return grant;
}

} // namespace

std::string schedule_text(std::vector<Grant> const& grants, bool has_one_time) {
    std::string text = fmt::format("{} {}\n", title, has_one_time ? one_time : own_times);
    for (Grant const& grant : grants) {
        text += fmt::format("{} {}\n", grant.slot, grant.stretch_ns);
    }
    return text + std::string(end_line) + "\n";
}

void write_schedule(
    std::filesystem::path const& path, std::vector<Grant> const& grants, bool has_one_time) {
    std::ofstream file(path, std::ios::trunc);
    file << schedule_text(grants, has_one_time);
    if (!file.flush()) {
        throw Failure(
            Status::io,
            fmt::format("cannot write the schedule {}: {}", path.string(), strerror(errno)));
    }
}

std::string read_schedule(std::filesystem::path const& path) {
    std::ifstream file(path);
    std::ostringstream text;
    // An empty file sets failbit, one that cannot be read badbit or that of the file.
    if (!file || file.peek() == std::ifstream::traits_type::eof() || !(text << file.rdbuf())) {
        throw Failure(
            Status::io, fmt::format(
                            "cannot read the schedule {}: {}", path.string(),
                            file.eof() ? "it is empty" : strerror(errno)));
    }
    return std::move(text).str();
}

std::shared_ptr<hosted::Schedule const>
parse_schedule_text(std::string const& name, std::string const& text) {
    std::istringstream file(text);
    std::string line;
    std::getline(file, line);
    u64 number = 1;
    auto const refuse = [&name, &number](std::string const& why) {
        throw Failure(Status::usage, fmt::format("{}:{}: {}", name, number, why));
    };
    bool const has_one_time = line == fmt::format("{} {}", title, one_time);
    if (!has_one_time && line != fmt::format("{} {}", title, own_times)) {
        refuse(fmt::format("a schedule begins with '{} {}' or '{}'", title, one_time, own_times));
    }
    auto grants = std::make_shared<std::vector<Grant>>();
    bool has_ended = false;
    while (std::getline(file, line)) {
        ++number;
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (has_ended) {
            refuse("nothing comes behind the end");
        }
        has_ended = line == end_line;
        if (has_ended) {
            continue;
        }
        std::optional<Grant> const grant = grant_of(line);
        if (!grant) {
            refuse("a turn is a processor and a stretch in nanoseconds, as '1 250'");
        }
        grants->push_back(*grant);
    }
    if (!has_ended) {
        refuse("it is cut short: its last line is 'end'");
    }
    return std::make_shared<hosted::SavedSchedule>(std::move(grants), has_one_time);
}

} // namespace twofold::sim
