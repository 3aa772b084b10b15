// What kernel code and a simulation that tests it say to each other (core/base/probe.hpp).
#pragma once

#include "core/base/integers.hpp"

#include <string_view>

namespace twofold {

/// A place of the kernel at which a simulation can make something fail, which callers have to bear.
/// The prefix names the room.
enum class FaultPoint : u8 {
    frames_allocate,    ///< no frame is left
    spaces_frame,       ///< spaces and objects get no frame
    spaces_table,       ///< there is no frame for a page table or for ranges
    heap_allocate,      ///< the heap has no block
    heap_commit,        ///< the heap gets no more memory
    pools_extend,       ///< a pool gets no more memory
    trace_push,         ///< a record is dropped
    epochs_retire,      ///< too much waits to be let go
    interrupts_bind,    ///< no vector is free
    calls_post,         ///< too many calls are under way
    threads_create,     ///< there are too many threads
    threads_stack,      ///< there is no room for a stack
    threads_wake_early, ///< who parks goes on for no reason
    forkjoin_push,      ///< a deque is full
};

inline constexpr std::string_view fault_point_names[] = {
    "frames.allocate", "spaces.frame",  "spaces.table",       "heap.allocate",   "heap.commit",
    "pools.extend",    "trace.push",    "epochs.retire",      "interrupts.bind", "calls.post",
    "threads.create",  "threads.stack", "threads.wake_early", "forkjoin.push",
};
inline constexpr usize fault_points = sizeof(fault_point_names) / sizeof(fault_point_names[0]);
static_assert(fault_points == static_cast<usize>(FaultPoint::forkjoin_push) + 1);
static_assert(fault_points <= 64, "a mask of 64 bits says which are armed");

namespace probe {

/// What a workload tells of itself.
enum class Note : u8 {
    begin,     ///< what is to be explored begins: schedules are chosen, faults happen
    operation, ///< an operation is over; the value is its number
    end,       ///< what was to be explored is over
    progress,  ///< it is still at it
    bears,     ///< it was told that something has failed; the value is the Error
    damage,    ///< it has read what was not written
};

} // namespace probe

} // namespace twofold
