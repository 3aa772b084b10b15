// See difference.hpp.
#include "sim/simulator/difference.hpp"

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

/// The moments (first, first + recording_distance] of a recorded run.
std::vector<SimMoment> moments_behind(Recording const& recording, u64 first) {
    CaseRun run = recorded_run(recording);
    jump_before(run, recording, first);
    MomentKeeper keeper(first + 1, first + recording_distance);
    run.engine().observe(&keeper);
    run_until(run, first + recording_distance);
    return keeper.moments();
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
    if (a.run() != b.run()) {
        fmt::print("the cases differ:\n  {}\n  {}\n", a.run(), b.run());
    }
    if (a.end()->hash == b.end()->hash && a.end()->moments == b.end()->moments) {
        fmt::print(
            "the runs are the same: {} events, hash {:016x}\n", a.end()->moments, a.end()->hash);
        return 0;
    }
    auto const [at, other] = std::ranges::mismatch(a.hashes(), b.hashes());
    auto const same = static_cast<u64>(at - a.hashes().begin()) - 1; // hash 0 is of the begin
    u64 const first = same * recording_distance;
    std::vector<SimMoment> const of_a = moments_behind(a, first);
    std::vector<SimMoment> const of_b = moments_behind(b, first);
    auto const [there, ignored] =
        std::ranges::mismatch(of_a, of_b, {}, &SimMoment::hash, &SimMoment::hash);
    auto const from = static_cast<usize>(there - of_a.begin());
    fmt::print("the runs differ from event {} on\n", first + from + 1);
    print_moments(left, of_a, from);
    print_moments(right, of_b, from);
    return 1;
}

} // namespace twofold::sim
