// The order in which locks may be taken, and the check of it. Every lock is born with a rank; a
// processor that holds locks may take only one of a higher rank, so no two processors can wait for
// each other. Builds with checks keep the ranks held in the processor's own state and panic at the
// first lock out of order, whether or not it would have deadlocked this time.
#pragma once

#include "core/base/base.hpp"
#include "core/sync/call_queue.hpp"
#include "core/sync/execution_context.hpp"
#include "core/trace/trace.hpp"
#include "hal/cpu.hpp"
#include "hal/interrupt.hpp"

#include <source_location>

namespace twofold::sync {

/// From the outermost lock to the innermost. A new lock takes a name of its own between those that
/// are held when it is taken and those that are taken while it is held.
enum class LockRank : u8 {
    device = 16,
    thread_list = 24, ///< the list of threads; takes those of what threads sleep for
    task = 32,        ///< what threads sleep for; takes run queues
    scheduler = 48,
    heap_checks = 56,      ///< the heap's debugging layer; takes blocks of the heap
    heap = 64,             ///< the heap; takes pages of the kernel's space
    pool = 80,             ///< pools and arenas; take pages and frames
    address_space = 96,    ///< page tables; takes frames
    frames = 112,          ///< a zone of frames; takes nothing
    interrupt_lines = 116, ///< lines and storms; takes the table of handlers and deadlines
    interrupts = 120,      ///< the table of interrupt handlers; takes nothing
    timers = 128,          ///< a processor's queue of deadlines; takes nothing
    innermost = 255,       ///< nothing is taken while it is held
};

/// A scope in which this processor takes no memory (core/memory/debug/no_alloc.hpp).
struct NoAllocScope {
    std::source_location where;
    NoAllocScope const* outer = nullptr;
};

/// What this room keeps for each processor. The HAL's per-CPU pointer leads to an object that
/// begins with this one, or is null before there is a kernel.
struct CpuState {
    static constexpr usize locks_max = 8;

    LockRank held[locks_max]{}; ///< in the order they were taken, so ascending in each context
    bool held_in_handler[locks_max]{};
    u32 held_count = 0;
    ExecutionContext context = ExecutionContext::thread;
    /// Work waits until this processor may be preempted; then `run_work` runs it, interrupts off.
    bool work_waits = false;
    void (*run_work)(CpuState& state) = nullptr; ///< set before any can wait
    CallQueue urgent;                            ///< of other processors, which wait; see relax
    void (*serve)(CpuState& state) = [](CpuState&) { UNREACHABLE(); }; ///< set before one comes
    NoAllocScope const* no_alloc =
        nullptr;              ///< the innermost; only builds with heap checks have one
    trace::FlightRing flight; ///< the rare paths that it took last
};

/// The running processor's state; null before there is a kernel. Interrupts are off. O(1).
inline CpuState* cpu_state() {
    return static_cast<CpuState*>(hal::Cpu::per_cpu());
}

/// Notes that a lock of `rank` is about to be taken; panics if one of this rank or a higher one is
/// held. Nothing in builds without checks. O(1).
inline void note_acquire(LockRank rank) {
    if constexpr (checks_enabled) {
        // A handler that comes between entry and count would leave its own rank in the entry.
        hal::InterruptState const before = hal::Interrupt::disable();
        if (CpuState* const state = cpu_state()) {
            CHECK(may(state->context, Ability::lock));
            CHECK(state->held_count < CpuState::locks_max);
            // What a handler takes is never held with interrupts on: no order with what it has
            // interrupted.
            bool const in_handler = state->context >= ExecutionContext::irq;
            u32 const count = state->held_count;
            CHECK(
                count == 0 || state->held[count - 1] < rank ||
                state->held_in_handler[count - 1] != in_handler);
            state->held[count] = rank;
            state->held_in_handler[count] = in_handler;
            state->held_count = count + 1;
        }
        hal::Interrupt::restore(before);
    }
}

/// Notes that the lock of `rank` that was taken last was given back. O(1).
inline void note_release(LockRank rank) {
    if constexpr (checks_enabled) {
        if (CpuState* const state = cpu_state()) {
            CHECK(state->held_count > 0 && state->held[state->held_count - 1] == rank);
            --state->held_count;
        }
    }
}

} // namespace twofold::sync
