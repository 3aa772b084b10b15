// See difference.hpp.
#include "sim/simulator/difference.hpp"

#include "apps/json/tree.hpp"
#include "apps/launch/status.hpp"
#include "sim/record/watchers.hpp"
#include "sim/run/catalogue.hpp"
#include "sim/simulator/travel.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twofold::sim {

namespace {

using hosted::SimMoment;

/// Moments before the difference that are shown, too.
constexpr usize shown_before = 3;

std::string value_text(json::Value const* value) {
    if (value == nullptr || (value->kind == json::Kind::array && value->members.empty())) {
        return "none";
    }
    if (value->kind == json::Kind::boolean) {
        return value->boolean ? "yes" : "no";
    }
    std::string text = value->text;
    for (json::Value const& member : value->members) {
        text += (text.empty() ? "" : ", ") + member.text;
    }
    return text;
}

json::Value const* member_of(json::Value const& object, std::string_view key) {
    auto const found = std::ranges::find(object.members, key, &json::Value::key);
    return found == object.members.end() ? nullptr : &*found;
}

/// What two recordings are of, where that differs: a line for each part.
void print_cases(Recording const& a, Recording const& b) {
    json::Value const left = json::parse("a recording's case", a.run());
    json::Value const right = json::parse("a recording's case", b.run());
    std::vector<std::string> keys;
    for (json::Value const& member : left.members) {
        keys.push_back(member.key);
    }
    for (json::Value const& member : right.members) {
        if (member_of(left, member.key) == nullptr) {
            keys.push_back(member.key);
        }
    }
    for (std::string const& key : keys) {
        std::string const one = value_text(member_of(left, key));
        std::string const other = value_text(member_of(right, key));
        if (one != other && key != "id") {
            fmt::print("the cases differ: {}: {} / {}\n", key, one, other);
        }
    }
    if (a.schedule() != b.schedule()) {
        fmt::print("the cases differ: they follow different schedules\n");
    }
}

/// The moments (first, first + recording_distance] of what a recording is of. Refuses a recording
/// whose hash behind them is not that of its case: then it is of no run of this program.
std::vector<SimMoment>
moments_behind(std::filesystem::path const& path, Recording const& recording, u64 first) {
    CaseRun run = recorded_run(recording);
    jump_before(run, recording, first);
    MomentKeeper keeper(first + 1, first + recording_distance);
    run.engine().observe(&keeper);
    bool const has_ended = run_until(run, first + recording_distance);
    std::vector<SimMoment> const& moments = keeper.moments();
    usize const number = first / recording_distance + 1;
    auto const& hashes = recording.hashes();
    // Behind the last hash there is the end's.
    bool const is_last = number == hashes.size();
    u64 const recorded = is_last ? recording.end()->hash : hashes[number];
    u64 const come_to = moments.empty() ? run.engine().counts().hash : moments.back().hash;
    if (is_last != (has_ended && moments.size() < recording_distance) || come_to != recorded) {
        throw launch::Failure(
            launch::Status::usage,
            fmt::format(
                "{}: its case does not run as it says between the events {} and {}: record it "
                "again",
                path.string(), first, first + recording_distance));
    }
    return moments;
}

void print_moments(
    std::filesystem::path const& path, std::vector<SimMoment> const& moments, usize from) {
    fmt::print("{}:\n", path.string());
    for (usize i = from - std::min(from, shown_before); i < moments.size() && i <= from; ++i) {
        fmt::print("  {} {}\n", i == from ? ">" : " ", moment_text(moments[i]));
    }
    if (from >= moments.size()) {
        fmt::print("  > it has ended\n");
    }
}

} // namespace

int show_difference(std::filesystem::path const& left, std::filesystem::path const& right) {
    std::string const& build = own_catalogue().build;
    Recording const a = Recording::read(left, build);
    Recording const b = Recording::read(right, build);
    print_cases(a, b);
    if (a.end()->hash == b.end()->hash && a.end()->moments == b.end()->moments) {
        fmt::print(
            "the runs are the same: {} events, hash {:016x}\n", a.end()->moments, a.end()->hash);
        return 0;
    }
    auto const [at, other] = std::ranges::mismatch(a.hashes(), b.hashes());
    auto const same = static_cast<u64>(at - a.hashes().begin()) - 1; // hash 0 is of the begin
    u64 const first = same * recording_distance;
    std::vector<SimMoment> const of_a = moments_behind(left, a, first);
    std::vector<SimMoment> const of_b = moments_behind(right, b, first);
    auto const [there, ignored] =
        std::ranges::mismatch(of_a, of_b, {}, &SimMoment::hash, &SimMoment::hash);
    auto const from = static_cast<usize>(there - of_a.begin());
    fmt::print("the runs differ from event {} on\n", first + from + 1);
    print_moments(left, of_a, from);
    print_moments(right, of_b, from);
    return 1;
}

} // namespace twofold::sim
