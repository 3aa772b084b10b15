// A workload of the laboratory: threads as programs of operations, and the machine that they are
// for. Plain arrays of plain numbers, so that the engine executes it in a hosted tool and inside of
// a kernel alike. Who makes one (WorkloadBuilder) and who reads one from bytes (workload_bytes.hpp)
// leaves `check_workload` to say whether everything that it refers to is there.
//
// Times are nanoseconds; work is what a processor of the full capacity does in that time.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace twofold::lab {

enum class OperationKind : u8 {
    run,     ///< `amount` of work: takes longer on a processor of less capacity
    runtime, ///< `amount` of time on any processor
    sleep,   ///< for `amount`, from now on
    until,   ///< sleeps until `amount` after the start of the workload; not at all if it is past
    timer,   ///< ends a job; sleeps until timer `object` has advanced by `amount`
    lock,    ///< mutex `object`
    unlock,  ///< mutex `object`
    wait,    ///< on condition `object`; gives up mutex `amount` meanwhile, unless it is `no_mutex`
    signal,  ///< wakes who has waited longest on condition `object`
    broadcast, ///< wakes all who wait on condition `object`
    barrier,   ///< sleeps until as many have come to barrier `object` as it is for
    send,      ///< a message into queue `object`; sleeps while it is full
    receive,   ///< a message from queue `object`; sleeps while it is empty
    offload,   ///< `amount` of work for device `object`, one after another; sleeps until it is done
    finish,    ///< ends a job, late if it took more than `amount` (0: never late)
    yield,
    schedule, ///< is scheduled as `object` says from now on
    move,     ///< may run on the processors of affinity `object` alone from now on
    begin,    ///< sets counter `level` to `amount` rounds; `forever` for no end
    repeat, ///< one round less of counter `level`: goes on at operation `object` while any is left
    exit,   ///< the last operation of every program
};
inline constexpr usize operation_kinds = 21;

inline constexpr i64 no_mutex = -1;
inline constexpr i64 forever = -1;
inline constexpr u8 levels_max = 4; ///< loops inside of loops

/// How a timer goes on after a job that took too long: from now, or as if nothing had been late.
enum class TimerMode : u8 { relative, absolute };

struct Operation {
    OperationKind kind = OperationKind::exit;
    TimerMode mode = TimerMode::relative;
    u8 level = 0;
    u32 object = 0;
    i64 amount = 0;

    bool operator==(Operation const&) const = default;
};
static_assert(sizeof(Operation) == 16);

/// What a thread asks of the scheduler. `ordinary` is the one that a run chooses a policy for.
enum class Demand : u8 { ordinary, batch, idle, fifo, rr, deadline, inference, training };
inline constexpr usize demands = 8;

struct Scheduling {
    Demand demand = Demand::ordinary;
    u32 weight = 1024;
    u32 priority = 0; ///< of 64, higher goes first
    Nanos slice{};    ///< request or quantum; 0: the policy's own
    Nanos runtime{};  ///< within each period; 0: unknown
    Nanos period{};   ///< of its jobs, or the bound on its latency; 0: none

    bool operator==(Scheduling const&) const = default;
};

struct Queue {
    u32 capacity = 0; ///< messages
};

/// Bits of processors: as many as a workload's machine has at most.
inline constexpr u32 cpus_max = 64;
using Affinity = u64;

struct Cpu {
    u32 node = 0;
    u32 capacity = 1024;  ///< of 1024
    u32 active_power = 0; ///< milliwatts while it runs a thread; 0 all over: not modelled
    u32 idle_power = 0;

    bool operator==(Cpu const&) const = default;
};

using Name = FixedString<32>;

struct Task {
    Name name;        ///< of all instances
    u32 instance = 0; ///< from 0
    u32 program = 0;  ///< its first operation
    u32 schedule = 0; ///< of schedulings
    u32 affinity = 0; ///< of affinities
    Nanos delay{};    ///< before it starts
};

/// All of it; what the spans lie in belongs to somebody else.
struct Workload {
    std::span<Cpu const> cpus;
    std::span<Task const> tasks;
    std::span<Operation const> operations;
    std::span<Scheduling const> schedulings;
    std::span<Affinity const> affinities;
    std::span<Queue const> queues;
    std::span<u32 const> barriers; ///< how many each is for
    u32 mutexes = 0;
    u32 conditions = 0;
    u32 timers = 0;
    u32 devices = 0;
    Nanos duration{};
};

inline constexpr usize tasks_max = 100'000;
inline constexpr usize operations_max = 1u << 24;
inline constexpr u32 objects_max = 1u << 20;   ///< of each kind
inline constexpr Nanos time_max{i64{1} << 52}; ///< 52 days
inline constexpr i64 nanos_in_second = 1'000'000'000;
inline constexpr i64 whole_seconds_max = time_max.value / nanos_in_second;

/// Whether all that a workload refers to is there, all numbers are in their ranges, and each
/// program comes to an end or goes on for ever inside of itself. Errors: out_of_range (a number),
/// not_found (an object), invalid_argument (a program without its end, loops that do not nest).
/// O(size).
Result<void> check_workload(Workload const& workload);

} // namespace twofold::lab
