// Starts machines. See machines.hpp.
#include "apps/sched/machines.hpp"

#include "apps/launch/private_folder.hpp"
#include "apps/launch/status.hpp"
#include "apps/sched/machine_process.hpp"
#include "apps/sched/workload_writer.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace twofold::lab {

namespace {

namespace fs = std::filesystem;
using launch::Failure;
using launch::Status;

/// Beside this program in an installation; in a build each in the folder of its sources.
fs::path find_program(std::string const& name) {
    std::error_code error;
    fs::path const here = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (char const* const folder : {".", "../host", "../launch"}) {
        fs::path const candidate = here / folder / name;
        if (access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    throw Failure(
        Status::unavailable,
        fmt::format("the program {} is not beside this one; ./twofold sched builds it", name));
}

/// What the workload needs as bytes and as arrays, its threads with their queues, and the kernel.
u64 memory_for(MachineStart const& start, Workload const& workload, usize file_bytes) {
    constexpr u64 mib = 1 << 20;
    constexpr u64 kernel = 64 * mib;
    u64 const thread = has_live_threads(start.machine) ? 128 << 10 : 2048; // stack, samples
    constexpr u64 object = 64;
    u64 const objects = u64{workload.mutexes} + workload.conditions + workload.timers +
                        workload.devices + workload.queues.size() + workload.barriers.size();
    u64 const needed = kernel + 4 * file_bytes + workload.tasks.size() * thread + objects * object;
    return (needed + mib - 1) / mib;
}

void append(std::vector<std::string>& to, std::initializer_list<std::string> what) {
    to.insert(to.end(), what);
}

std::string read_whole(fs::path const& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void write_whole(fs::path const& path, std::span<std::byte const> bytes) {
    std::ofstream stream(path, std::ios::binary);
    for (std::byte const byte : bytes) {
        stream.put(static_cast<char>(byte));
    }
    stream.close();
    if (!stream) {
        throw Failure(
            Status::io, fmt::format("'{}' cannot be written: {}", path.string(), strerror(errno)));
    }
}

std::string last_line(std::string const& text) {
    usize const end = text.find_last_not_of("\r\n");
    if (end == std::string::npos) {
        return {};
    }
    usize const before = text.find_last_of("\r\n", end);
    usize const begin = before == std::string::npos ? 0 : before + 1;
    return text.substr(begin, end + 1 - begin);
}

/// What a status of a machine's program means to ours.
Status status_of(int status) {
    return status <= static_cast<int>(Status::guest_last) ? Status::unavailable
                                                          : static_cast<Status>(status);
}

std::vector<std::string>
command_of(MachineStart const& start, Workload const& workload, usize file_bytes) {
    std::vector<std::string> command;
    if (start.machine == LabMachine::metal) {
        command = {
            find_program("twofold-boot").string(), "--machine", "microvm", "--image", "sched"};
    } else if (start.machine == LabMachine::sim || start.machine == LabMachine::live_sim) {
        command = {find_program("twofold-sched-sim").string(), "--quiet"};
    } else {
        command = {find_program("twofold-sched-host").string()};
    }
    if (has_live_threads(start.machine)) {
        u32 const nodes = workload.cpus.back().node + 1;
        append(
            command, {"--cpus", fmt::format("{}", workload.cpus.size()), "--nodes",
                      fmt::format("{}", nodes)});
    }
    append(
        command, {"--timeout", fmt::format("{}", start.timeout_s), "--memory",
                  fmt::format("{}M", memory_for(start, workload, file_bytes))});
    return command;
}

std::string kernel_commands(LabMachine machine, std::vector<RunOptions> const& runs) {
    std::string line;
    for (RunOptions const& run : runs) {
        line += has_live_threads(machine)
                    ? fmt::format("sched-live {};", run.policy)
                    : fmt::format("sched-run {} {};", run.policy, run.switch_cost.value);
    }
    return line;
}

/// Throws what the kernel, or the program that it runs in, has said last.
void run_kernel(LabMachine machine, std::vector<std::string> command, fs::path const& folder) {
    fs::path const out = folder / "out";
    fs::path const err = folder / "err";
    int const status = run_program(std::move(command), out, err);
    if (status != 0) {
        std::string const said = last_line(read_whole(err));
        throw Failure(
            status_of(status),
            fmt::format(
                "{}: {}", machine_name(machine), said.empty() ? last_line(read_whole(out)) : said));
    }
}

/// Starts a kernel that runs all; the results that it has left.
std::string results_of(
    MachineStart const& start, Workload const& workload, std::vector<RunOptions> const& runs) {
    CHECK(!runs.empty());
    Workload asked = workload;
    asked.duration = runs.front().duration;
    std::vector<std::byte> const bytes = write_workload(asked, runs.front().inherits);
    launch::PrivateFolder const folder;
    fs::path const module = folder.path() / "workload";
    fs::path const results = folder.path() / "results";
    write_whole(module, bytes);
    std::vector<std::string> command = command_of(start, workload, bytes.size());
    append(
        command, {"--module", module.string(), "--results", results.string(), "--command",
                  kernel_commands(start.machine, runs)});
    run_kernel(start.machine, std::move(command), folder.path());
    return read_whole(results);
}

/// What each run has recorded.
template<class T>
std::vector<T> in_order(
    MachineStart const& start,
    std::vector<RunOptions> const& runs,
    std::map<std::string, T> const& recorded) {
    std::vector<T> ordered;
    for (RunOptions const& run : runs) {
        auto const found = recorded.find(run.policy);
        if (found == recorded.end()) {
            throw Failure(
                Status::io, fmt::format(
                                "{}: nothing under '{}' was recorded", machine_name(start.machine),
                                run.policy));
        }
        ordered.push_back(found->second);
    }
    return ordered;
}

} // namespace

std::string_view machine_name(LabMachine machine) {
    constexpr std::string_view names[] = {"process", "host", "sim", "metal", "live", "live-sim"};
    return names[static_cast<usize>(machine)];
}

std::vector<Schedule> run_on_machine(
    MachineStart const& start, Workload const& workload, std::vector<RunOptions> const& runs) {
    return in_order(
        start, runs, read_schedules(workload, "results", results_of(start, workload, runs)));
}

std::vector<RunOutcome>
run_live(MachineStart const& start, Workload const& workload, std::vector<RunOptions> const& runs) {
    return in_order(
        start, runs, read_live_runs(workload, "results", results_of(start, workload, runs)));
}

} // namespace twofold::lab
