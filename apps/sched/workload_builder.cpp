// Puts workloads together. See workload_builder.hpp.
#include "apps/sched/workload_builder.hpp"

#include "apps/launch/status.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace twofold::lab {

namespace {

using launch::Failure;
using launch::Status;

/// The number of an equal entry, added if there is none.
template<class T>
u32 entry(std::vector<T>& entries, T const& wanted) {
    auto const found = std::ranges::find(entries, wanted);
    if (found != entries.end()) {
        return static_cast<u32>(found - entries.begin());
    }
    entries.push_back(wanted);
    return static_cast<u32>(entries.size() - 1);
}

} // namespace

Workload OwnedWorkload::view() const {
    return {
        .cpus = cpus,
        .tasks = tasks,
        .operations = operations,
        .schedulings = schedulings,
        .affinities = affinities,
        .queues = queues,
        .barriers = barriers,
        .mutexes = mutexes,
        .conditions = conditions,
        .timers = timers,
        .devices = devices,
        .duration = duration};
}

WorkloadBuilder::WorkloadBuilder(std::string title) {
    m_made.title = std::move(title);
}

u32 WorkloadBuilder::queue(std::string const& name, u32 capacity) {
    u32 const number = m_queues.number(name);
    if (number == m_made.queues.size()) {
        m_made.queues.push_back({capacity});
    }
    return number;
}

u32 WorkloadBuilder::barrier(std::string const& name) {
    u32 const number = m_barriers.number(name);
    m_made.barriers.resize(m_barriers.size());
    ++m_made.barriers[number];
    return number;
}

u32 WorkloadBuilder::scheduling(Scheduling const& wanted) {
    return entry(m_made.schedulings, wanted);
}

u32 WorkloadBuilder::affinity(Affinity wanted) {
    return entry(m_made.affinities, wanted);
}

void WorkloadBuilder::begin_task(
    std::string_view name,
    u32 instance,
    Scheduling const& wanted,
    Affinity affinity_wanted,
    Nanos delay) {
    if (m_made.tasks.size() == tasks_max) {
        throw Failure(
            Status::usage, fmt::format("more than {} threads (at '{}')", tasks_max, name));
    }
    auto const short_name = Name::create(name.substr(0, Name::capacity()));
    m_made.tasks.push_back(
        {.name = short_name.value(),
         .instance = instance,
         .program = static_cast<u32>(m_made.operations.size()),
         .schedule = scheduling(wanted),
         .affinity = affinity(affinity_wanted),
         .delay = delay});
}

void WorkloadBuilder::add(OperationKind kind, u32 object, i64 amount) {
    if (m_made.operations.size() == operations_max) {
        throw Failure(
            Status::usage, fmt::format(
                               "more than {} operations (in '{}')", operations_max,
                               m_made.tasks.back().name.view()));
    }
    m_made.operations.push_back({.kind = kind, .object = object, .amount = amount});
}

void WorkloadBuilder::add_timer(u32 timer, Nanos period, TimerMode mode) {
    add(OperationKind::timer, timer, period.value);
    m_made.operations.back().mode = mode;
}

void WorkloadBuilder::begin_loop(i64 rounds) {
    add(OperationKind::begin, 0, rounds);
    m_made.operations.back().level = static_cast<u8>(m_loops.size());
    m_loops.push_back(static_cast<u32>(m_made.operations.size()));
    CHECK(m_loops.size() <= levels_max);
}

void WorkloadBuilder::end_loop() {
    CHECK(!m_loops.empty());
    add(OperationKind::repeat, m_loops.back());
    m_loops.pop_back();
    m_made.operations.back().level = static_cast<u8>(m_loops.size());
}

void WorkloadBuilder::finish_task() {
    CHECK(m_loops.empty());
    add(OperationKind::exit);
}

OwnedWorkload WorkloadBuilder::finish() {
    m_made.mutexes = m_mutexes.size();
    m_made.conditions = m_conditions.size();
    m_made.timers = m_timers.size();
    m_made.devices = m_devices.size();
    if (m_made.tasks.empty()) {
        throw Failure(Status::usage, "the workload has no threads");
    }
    Affinity const there = ~Affinity{} >> (cpus_max - m_made.cpus.size());
    for (Task const& task : m_made.tasks) {
        if ((m_made.affinities[task.affinity] & there) == 0) {
            throw Failure(
                Status::usage, fmt::format(
                                   "thread '{}' may run on none of the {} processors",
                                   task.name.view(), m_made.cpus.size()));
        }
    }
    if (Result<void> const good = check_workload(m_made.view()); !good) {
        throw Failure(
            Status::usage,
            fmt::format("the workload does not hold together: {}", error_name(good.error())));
    }
    return std::move(m_made);
}

std::vector<Cpu> equal_cpus(u32 count, u32 nodes) {
    std::vector<Cpu> cpus(count);
    for (u32 i = 0; i < count; ++i) {
        cpus[i].node = static_cast<u32>(u64{i} * nodes / count);
    }
    return cpus;
}

} // namespace twofold::lab
