// See schedule_file.hpp.
#include "sim/record/schedule_file.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace twofold::sim {

namespace {

using hosted::Grant;
using launch::Failure;
using launch::Status;

constexpr std::string_view title = "twofold-schedule 1";
constexpr std::string_view one_time = "one-time", own_times = "own-times";
constexpr u32 slots_max = 64;

} // namespace

void write_schedule(
    std::filesystem::path const& path, std::vector<Grant> const& grants, bool has_one_time) {
    std::ofstream file(path, std::ios::trunc);
    file << title << ' ' << (has_one_time ? one_time : own_times) << '\n';
    for (Grant const& grant : grants) {
        file << grant.slot << ' ' << grant.stretch_ns << '\n';
    }
    if (!file.flush()) {
        throw Failure(
            Status::io,
            fmt::format("cannot write the schedule {}: {}", path.string(), strerror(errno)));
    }
}

std::shared_ptr<hosted::Schedule const> read_schedule(std::filesystem::path const& path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line)) {
        throw Failure(
            Status::io, fmt::format(
                            "cannot read the schedule {}: {}", path.string(),
                            file.eof() ? "it is empty" : strerror(errno)));
    }
    u64 number = 1;
    auto const refuse = [&path, &number](std::string const& why) {
        throw Failure(Status::usage, fmt::format("{}:{}: {}", path.string(), number, why));
    };
    bool const has_one_time = line == fmt::format("{} {}", title, one_time);
    if (!has_one_time && line != fmt::format("{} {}", title, own_times)) {
        refuse(fmt::format("a schedule begins with '{} {}' or '{}'", title, one_time, own_times));
    }
    auto grants = std::make_shared<std::vector<Grant>>();
    while (std::getline(file, line)) {
        ++number;
        if (line.empty() || line.front() == '#') {
            continue;
        }
        std::istringstream words(line);
        Grant grant;
        std::string rest;
        if (!(words >> grant.slot >> grant.stretch_ns) || words >> rest || grant.stretch_ns < 0 ||
            grant.slot >= slots_max) {
            refuse("a turn is a processor and a stretch in nanoseconds, as '1 250'");
        }
        grants->push_back(grant);
    }
    return std::make_shared<hosted::SavedSchedule>(std::move(grants), has_one_time);
}

} // namespace twofold::sim
