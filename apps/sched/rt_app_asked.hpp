// What rt-app's files say of times and of scheduling. Used by rt_app.cpp alone.
#pragma once

#include "apps/json/reader.hpp"
#include "apps/sched/workload.hpp"

#include <optional>

namespace twofold::lab {

/// A time of at least so many microseconds.
inline Nanos microseconds(json::Reader const& member, i64 least = 0) {
    constexpr i64 ns_per_us = 1000;
    return {member.integer(least, time_max.value / ns_per_us) * ns_per_us};
}

/// What a thread or a phase says of its scheduling; what it leaves out comes from above.
struct Asked {
    std::optional<Demand> demand;
    std::optional<i64> priority;
    std::optional<u32> weight;
    std::optional<Nanos> runtime;
    std::optional<Nanos> period;
    std::optional<Nanos> deadline;
    std::optional<Nanos> slice;
    std::optional<Affinity> cpus;

    bool is_scheduling() const { return demand || priority || weight || runtime || period; }
    Asked over(Asked const& above) const {
        return {
            .demand = demand ? demand : above.demand,
            .priority = priority ? priority : above.priority,
            .weight = weight ? weight : above.weight,
            .runtime = runtime ? runtime : above.runtime,
            .period = period ? period : above.period,
            .deadline = deadline ? deadline : above.deadline,
            .slice = slice ? slice : above.slice,
            .cpus = cpus ? cpus : above.cpus};
    }
};

} // namespace twofold::lab
