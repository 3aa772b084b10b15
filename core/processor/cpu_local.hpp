// What this room keeps for each processor. The HAL's per-CPU pointer leads to an object that begins
// with this one. Unless said otherwise a field is its own processor's, with interrupts off; counts
// may be looked at from anywhere.
#pragma once

#include "core/processor/interrupt_table.hpp"
#include "core/processor/timer_queue.hpp"
#include "core/sync/sync.hpp"
#include "hal/context.hpp"

namespace twofold::processor {

class CpuSet;
class Interrupts;

/// How often a vector came to one processor, and what became of it lately (storm.hpp).
struct VectorCounts {
    u64 taken = 0;
    u32 not_handled = 0;        ///< of these, with nobody who knew of it
    u32 not_handled_before = 0; ///< when the window began
    Nanos window_began{};
    bool window_is_shared = false; ///< a part of it was another owner's, so it is not judged
};

struct CallCounts {
    u64 made = 0;   ///< by this processor
    u64 served = 0; ///< on it
    u64 served_while_waiting = 0;
};

struct FlushCounts {
    u64 requests = 0; ///< that this processor made of others
    u64 served = 0;
    u64 pages = 0; ///< of its requests
    u64 wait_cycles = 0;
    u64 wait_cycles_max = 0;
};

/// Second halves of interrupt handlers, by vector, and the stack that they run on (work.hpp).
struct WorkState {
    u64 vectors[InterruptTable::vectors_max / 64]{};
    bool is_running = false;
    InterruptTable::Entry const* running = nullptr; ///< whose second half runs
    bool is_open = false;                           ///< there is a stack
    u64 runs = 0;
    hal::Context worker;
    hal::Context interrupted; ///< whom the worker came over
};

struct CpuLocal;

/// What the room of threads keeps for a processor derives from this.
struct Runner {
    /// The idle loop has nothing to do: runs whoever waits for a processor. Interrupts are off.
    void (*find_work)(CpuLocal& cpu) = nullptr;
};

struct CpuLocal : sync::CpuState {
    static constexpr usize posts_max = 8;

    CpuId id;
    Atomic<u32> is_online{0}; ///< it runs kernel code and answers calls
    InterruptTable const* interrupts = nullptr;
    Interrupts* lines = nullptr; ///< whom `interrupts` belongs to
    CpuSet* set = nullptr;
    VectorCounts counts[InterruptTable::vectors_max];
    WorkState work;
    TimerQueue timers;
    sync::CallQueue calls;       ///< of other processors; those of CpuState::urgent go before
    sync::CallQueue jobs;        ///< for its idle loop; see CpuSet::delegate
    sync::Call posts[posts_max]; ///< that this processor made and does not wait for
    sync::Call stop_call;        ///< that ends it
    Runner* runner = nullptr;    ///< from when there are threads
    void* recovery = nullptr;    ///< innermost active catch_fault, of the thread that runs
    bool is_resting = false;     ///< it sleeps until an interrupt; nobody is preempted meanwhile
    CallCounts call_counts;
    FlushCounts flush_counts;
    u64 idle_wakes = 0;
    Nanos idle_time{}; ///< spent in the idle loop, since the processor runs
    Nanos online_since{};
};

} // namespace twofold::processor
