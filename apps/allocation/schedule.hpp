// Turns a trace into the operations that a replay executes, and checks what the format alone
// cannot: that every object that is used is alive. Neighbours: trace_reader.hpp (where events come
// from), replay.hpp (where operations go).
#pragma once

#include "apps/allocation/operation.hpp"
#include "apps/allocation/trace_reader.hpp"

#include <string>
#include <vector>

namespace twofold::allocation {

/// How objects share the places of the table of blocks.
enum class Places : u8 {
    recycled, ///< as few as objects were ever alive at once: the table stays small
    unique,   ///< one each, so that threads wait for each other only over the same object
};

struct Schedule {
    std::vector<Operation> operations;
    /// With unique places: how many operations on the same object come before each one.
    std::vector<u32> turns;
    std::string command; ///< arguments, each ended by a zero
    TraceCounts counts;
    u32 places = 0;
    u64 live_bytes_peak_operation = 0; ///< the operation after which most bytes were alive
};

/// Decodes all of `file`. The errors are the reader's, and `problem` says in a sentence what is
/// wrong and where: an object that is used after its release, counts of live objects that differ
/// from the header's, more than 2^32 places. Time and memory O(events).
Result<Schedule>
make_schedule(std::span<std::byte const> file, Places places, TraceProblem& problem);

} // namespace twofold::allocation
