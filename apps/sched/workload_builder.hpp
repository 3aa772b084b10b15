// WorkloadBuilder: puts a workload together, on the host. Objects get their numbers by their names;
// equal schedulings and affinities share one entry.
//
// What makes no sense is thrown as a launch::Failure with the status of wrong usage.
#pragma once

#include "apps/sched/workload.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace twofold::lab {

/// Everything that a Workload refers to.
struct OwnedWorkload {
    std::string title; ///< what it is, in a few words
    std::vector<Cpu> cpus;
    std::vector<Task> tasks;
    std::vector<Operation> operations;
    std::vector<Scheduling> schedulings;
    std::vector<Affinity> affinities;
    std::vector<Queue> queues;
    std::vector<u32> barriers;
    u32 mutexes = 0;
    u32 conditions = 0;
    u32 timers = 0;
    u32 devices = 0;
    Nanos duration{};

    /// Valid as long as this object lives and does not change.
    Workload view() const;
};

/// Objects of one kind by their names.
class Names {
public:
    u32 number(std::string const& name) {
        return m_numbers.try_emplace(name, static_cast<u32>(m_numbers.size())).first->second;
    }
    u32 size() const { return static_cast<u32>(m_numbers.size()); }

private:
    std::map<std::string, u32> m_numbers;
};

class WorkloadBuilder {
public:
    explicit WorkloadBuilder(std::string title);

    void set_cpus(std::vector<Cpu> cpus) { m_made.cpus = std::move(cpus); }
    void set_duration(Nanos duration) { m_made.duration = duration; }

    u32 mutex(std::string const& name) { return m_mutexes.number(name); }
    u32 condition(std::string const& name) { return m_conditions.number(name); }
    u32 timer(std::string const& name) { return m_timers.number(name); }
    u32 device(std::string const& name) { return m_devices.number(name); }
    /// The capacity is that of the first who named it.
    u32 queue(std::string const& name, u32 capacity);
    /// One more thread is going to use it.
    u32 barrier(std::string const& name);
    u32 scheduling(Scheduling const& wanted);
    /// On any processor: ~0.
    u32 affinity(Affinity wanted);

    /// A thread; its program is what is added from now on, up to `finish_task`.
    void begin_task(
        std::string_view name,
        u32 instance,
        Scheduling const& wanted,
        Affinity affinity,
        Nanos delay);
    void add(OperationKind kind, u32 object = 0, i64 amount = 0);
    void add_timer(u32 timer, Nanos period, TimerMode mode);
    /// A loop; it lasts until `end_loop`.
    void begin_loop(i64 rounds);
    void end_loop();
    void finish_task();

    usize tasks() const { return m_made.tasks.size(); }

    /// The workload. Throws if a check of `check_workload` fails. The builder is used up.
    OwnedWorkload finish();

private:
    OwnedWorkload m_made;
    Names m_mutexes;
    Names m_conditions;
    Names m_timers;
    Names m_devices;
    Names m_queues;
    Names m_barriers;
    std::vector<u32> m_loops; ///< where the bodies of the open ones begin
};

/// `count` equal processors on `nodes` nodes, as even as it goes.
std::vector<Cpu> equal_cpus(u32 count, u32 nodes);

} // namespace twofold::lab
