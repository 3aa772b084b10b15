// Second halves of interrupt handlers: they run when the outermost interrupt has ended, with
// interrupts on, on a stack of the processor's own, so that what was interrupted lends neither its
// stack nor its time with interrupts off. A processor runs one at a time; meanwhile the interrupted
// code stands still.
//
// Handlers that are threads of their own come with the scheduler: then `run_pending` wakes a thread
// instead of switching to the worker, and nothing else changes here.
#pragma once

#include "core/processor/cpu_local.hpp"

#include <cstddef>
#include <span>

namespace twofold::processor {

/// Gives a processor its worker stack. Before the first interrupt.
void open_work(CpuLocal& cpu, std::span<std::byte> stack);

/// The second half of what is bound to `vector` is to run on this processor. Interrupts are off.
/// Once for however often it is said before it runs. O(1).
void request_work(CpuLocal& cpu, hal::Vector vector);

/// Whether the second half of `vector` waits or runs on this processor. Interrupts are off. O(1).
bool is_work_underway(CpuLocal const& cpu, hal::Vector vector);

/// Runs what was requested, if the processor's context allows it now: a thread that may be
/// preempted. Interrupts are off, before and after; on meanwhile.
void run_pending(CpuLocal& cpu);

} // namespace twofold::processor
