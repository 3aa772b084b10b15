// Running a workload inside of a kernel, on the hosted or the metal machine, and taking the
// schedule out of it. A run starts a program of its own, with the kernel image `sched`.
#pragma once

#include "apps/sched/schedule.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace twofold::lab {

enum class LabMachine : u8 {
    process, ///< no kernel: the engine runs in this program
    host,
    sim,
    metal,
    live,     ///< the threads are the hosted kernel's own, in real time
    live_sim, ///< the threads are the simulated kernel's own, in its virtual time
};

/// Whether the engine runs inside of a kernel there, and must make the schedule of this process.
constexpr bool has_kernel_engine(LabMachine machine) {
    return machine == LabMachine::host || machine == LabMachine::sim ||
           machine == LabMachine::metal;
}

/// Whether the threads of the workload are a kernel's own.
constexpr bool has_live_threads(LabMachine machine) {
    return machine == LabMachine::live || machine == LabMachine::live_sim;
}

std::string_view machine_name(LabMachine machine);

/// How to start a kernel.
struct MachineStart {
    LabMachine machine = LabMachine::host;
    double timeout_s = 0; ///< for all policies together
};

/// The schedule of each run, in their order, all by one kernel; they differ in their policies and
/// in what switches cost. Throws launch::Failure: the machine's program is missing, the kernel
/// refused the workload, it did not end in time, or what it recorded is not whole.
std::vector<Schedule> run_on_machine(
    MachineStart const& start, Workload const& workload, std::vector<RunOptions> const& runs);

/// The same by live threads: what became of them. Throws launch::Failure, too, where the kernel
/// cannot run the workload so.
std::vector<RunOutcome>
run_live(MachineStart const& start, Workload const& workload, std::vector<RunOptions> const& runs);

/// What became of live threads in a file of results, by the policies' names. Throws as
/// read_schedules does.
std::map<std::string, RunOutcome>
read_live_runs(Workload const& workload, std::string const& name, std::string_view text);

/// The schedules in a file of results, by the policies' names. Throws launch::Failure where one is
/// not whole. O(size).
std::map<std::string, Schedule>
read_schedules(Workload const& workload, std::string const& name, std::string_view text);

} // namespace twofold::lab
