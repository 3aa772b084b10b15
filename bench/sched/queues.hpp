// Loops of decisions: each of many threads runs for a quantum and gives its processor away. They
// are compiled as kernel code; quanta.cpp times them.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace twofold::bench {

/// How a loop goes on from one thread to the next.
enum class Turn : u8 {
    decision, ///< who is next is found and noted; nobody switches
    quantum,  ///< each thread switches to the next one; a quantum is charged
    clock,    ///< the same, and what is charged is read off the clock
};

/// A run queue with its threads.
struct QueueLoop {
    std::string_view name;
    /// What `prepare` wants for so many threads.
    Bytes (*memory)(usize threads);
    /// Makes the queue and its threads in `memory`, which is aligned to a cache line; one runs.
    /// `stacks`: one for each thread, for loops that switch. `hz`: of the processor's counter.
    void (*prepare)(
        std::span<std::byte> memory,
        std::span<std::span<std::byte> const> stacks,
        usize threads,
        u64 hz);
    /// Lets `turns` quanta go by. Returns how many have since it was prepared.
    u64 (*run)(Turn turn, u64 turns);
};

/// The policies, the stack of classes, that stack as it is checked, and the whole dispatcher; and
/// `bitmap`, the least that a run queue of priorities can be.
std::span<QueueLoop const> queue_loops();

} // namespace twofold::bench
