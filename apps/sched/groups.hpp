// Figures of several threads, put together.
#pragma once

#include "apps/sched/run.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace twofold::lab {

inline constexpr std::string_view demand_names[demands] = {
    "ordinary", "batch", "idle", "fifo", "rr", "deadline", "inference", "training"};

inline constexpr u32 reported_permilles[] = {500, 900, 990, 999, 1000};

struct Group {
    std::string name;
    u32 threads = 0;
    ThreadFigures figures;
    std::vector<double> parts; ///< of what each was to receive

    void add(ThreadFigures const& one) {
        ++threads;
        figures.wake_latencies.insert(
            figures.wake_latencies.end(), one.wake_latencies.begin(), one.wake_latencies.end());
        figures.responses.insert(
            figures.responses.end(), one.responses.begin(), one.responses.end());
        figures.wakes += one.wakes;
        figures.switches += one.switches;
        figures.preemptions += one.preemptions;
        figures.migrations += one.migrations;
        figures.late += one.late;
        figures.refused += one.refused;
        figures.ran = figures.ran + one.ran;
        figures.waited = figures.waited + one.waited;
        figures.lag_max = std::max(figures.lag_max, one.lag_max);
        figures.lag_min = std::min(figures.lag_min, one.lag_min);
        if (one.ideal > 0) {
            parts.push_back(std::min(one.fair / one.ideal, 1.0));
        }
    }
};

inline std::string_view demand_of(Workload const& workload, u32 thread) {
    Scheduling const& scheduling = workload.schedulings[workload.tasks[thread].schedule];
    return demand_names[static_cast<usize>(scheduling.demand)];
}

/// Threads by what `key` says of each, in the order in which they come first.
template<class Key>
std::vector<Group> group_by(RunFigures const& figures, Key const& key) {
    std::vector<Group> groups;
    std::map<std::string, usize> places;
    for (u32 i = 0; i < figures.threads.size(); ++i) {
        std::string const name(key(i));
        auto const [place, is_new] = places.try_emplace(name, groups.size());
        if (is_new) {
            groups.emplace_back();
            groups.back().name = name;
        }
        groups[place->second].add(figures.threads[i]);
    }
    return groups;
}

inline Group whole(RunFigures const& figures) {
    auto groups = group_by(figures, [](u32) { return "all"; });
    return std::move(groups.front());
}

} // namespace twofold::lab
