// A workload as bytes, for a kernel that runs it: a file that the machine places in its memory. The
// format is specified in docs/laboratory.md. Pure; the same in a hosted tool and inside of a
// kernel.
//
// What is read is untrusted: nothing is taken from outside of the bytes, and what was read is
// checked as a whole by `check_workload`.
#pragma once

#include "apps/sched/workload.hpp"

#include <cstddef>

namespace twofold::lab {

/// How many there are of each thing.
struct WorkloadCounts {
    u32 cpus = 0;
    u32 tasks = 0;
    u32 operations = 0;
    u32 schedulings = 0;
    u32 affinities = 0;
    u32 queues = 0;
    u32 barriers = 0;
    u32 mutexes = 0;
    u32 conditions = 0;
    u32 timers = 0;
    u32 devices = 0;
};

struct WorkloadHeader {
    Nanos duration{};
    bool inherits = false; ///< who holds a mutex runs as strong as who waits for it
    WorkloadCounts counts;
};

/// Where a workload is read into: as many elements as the header counts.
struct WorkloadArrays {
    std::span<Cpu> cpus;
    std::span<Task> tasks;
    std::span<Operation> operations;
    std::span<Scheduling> schedulings;
    std::span<Affinity> affinities;
    std::span<Queue> queues;
    std::span<u32> barriers;
};

inline constexpr u64 workload_magic = 0x0044414F'4C4B5257; ///< "WRKLOAD" and a zero
inline constexpr u32 workload_version = 1;
inline constexpr usize workload_header_bytes = 80;
inline constexpr usize workload_checked_from = 16; ///< the checksum covers what is behind here

// Of one element each.
inline constexpr usize cpu_bytes = 16;
inline constexpr usize task_bytes = 56;
inline constexpr usize operation_bytes = 16;
inline constexpr usize scheduling_bytes = 40;
inline constexpr usize affinity_bytes = 8;
inline constexpr usize queue_bytes = 4;
inline constexpr usize barrier_bytes = 4;

/// The size of the file that has so many of each.
u64 workload_file_bytes(WorkloadCounts const& counts);

/// What stands at the beginning. Bytes behind the file are passed over, as a boot loader may hand
/// over whole pages. Errors: truncated (the bytes end too early), corrupted (it is none, or was
/// changed), not_supported (another version), out_of_range (a count). O(size of the file).
Result<WorkloadHeader> read_workload_header(std::span<std::byte const> bytes);

/// Reads the rest into `arrays`, which stay the workload's; `header` is that of the bytes. Errors:
/// those of `check_workload`, and corrupted (what is to be zero is not). O(size).
Result<Workload> read_workload(
    std::span<std::byte const> bytes, WorkloadHeader const& header, WorkloadArrays const& arrays);

} // namespace twofold::lab
