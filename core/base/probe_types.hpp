// What kernel code and a simulation that tests it say to each other (core/base/probe.hpp).
#pragma once

#include "core/base/integers.hpp"

#include <string_view>

namespace twofold {

/// A place of the kernel at which a simulation can make something fail, which callers have to bear.
/// The prefix names the room.
enum class FaultPoint : u8 {
    frames_allocate, ///< no frame is left
    heap_commit,     ///< the heap gets no more memory
};

inline constexpr std::string_view fault_point_names[] = {
    "frames.allocate",
    "heap.commit",
};
inline constexpr usize fault_points = sizeof(fault_point_names) / sizeof(fault_point_names[0]);
static_assert(fault_points == static_cast<usize>(FaultPoint::heap_commit) + 1);
static_assert(fault_points <= 64, "a mask of 64 bits says which are armed");

namespace probe {

/// What a workload tells of itself.
enum class Note : u8 {
    begin,     ///< what is to be explored begins: schedules are chosen, faults happen
    operation, ///< an operation is over; the value is its number
    end,       ///< what was to be explored is over
};

} // namespace probe

} // namespace twofold
