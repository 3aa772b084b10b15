// What the replayer and a worker process say to each other: a mapped file with the order and the
// operations, and one result through a pipe. Both are built together, so there is no version.
#pragma once

#include "apps/allocation/operation.hpp"
#include "apps/allocation/replay.hpp"

#include <array>

namespace twofold::allocation {

/// The descriptors that a worker is started with.
inline constexpr int order_descriptor = 3;
inline constexpr int result_descriptor = 4;

enum class Measure : u8 {
    time,   ///< one pass in recorded order, timed; memory is not looked at
    memory, ///< the same pass, stopping often to count the pages that are committed
    threads ///< every recorded thread is a thread; timed
};

/// At offset 0 of the order's file.
struct WorkOrder {
    u64 file_bytes = 0;
    u64 operation_count = 0;
    u64 operations_offset = 0;
    u64 turns_offset = 0; ///< of a u32 for each operation; 0 unless threads are replayed
    u64 live_bytes_peak_operation = 0;
    u64 sample_interval = 0; ///< operations between two looks at the memory
    u32 place_count = 0;
    u32 thread_count = 0;
    Measure measure = Measure::time;
    Touch touch = Touch::all;
};
static_assert(std::is_trivially_copyable_v<WorkOrder>);

struct WorkResult {
    u64 wall_ns = 0;
    u64 cpu_ns = 0;                ///< user and system time of all threads
    u64 anonymous_start_bytes = 0; ///< anonymous memory of the process before the first operation
    u64 anonymous_peak_bytes = 0;  ///< the most that was seen
    u64 anonymous_end_bytes = 0;   ///< after the last operation
    u64 samples = 0;
    ReplayOutcome outcome;
    std::array<char, 256> allocator{}; ///< the file that malloc came from
};
static_assert(std::is_trivially_copyable_v<WorkResult>);

} // namespace twofold::allocation
