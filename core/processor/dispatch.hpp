// From the machine's upcall to a handler and back. What lies before the handler is counted: about
// 25 instructions (docs/processors.md).
#pragma once

#include "core/processor/cpu_local.hpp"
#include "core/processor/storm.hpp"
#include "core/processor/work.hpp"
#include "hal/controller.hpp"

namespace twofold::processor {

/// What is rarely needed when a handler has returned: second halves, counts of what was nobody's,
/// and the end of a window (storm.hpp). Interrupts are off.
void note_handling(
    CpuLocal& cpu, InterruptTable::Entry const& entry, hal::Vector vector, Handling handling);

/// Takes an interrupt on this processor, whose state is `cpu`. For the upcall kernel_interrupt.
inline void dispatch(CpuLocal& cpu, hal::Interruption const& interruption) {
    sync::ExecutionContext const outer = cpu.context;
    cpu.context = sync::ExecutionContext::irq;
    hal::Vector const vector = interruption.vector;
    u64 const taken = ++cpu.counts[vector.value].taken;
    InterruptTable::Entry const& entry = cpu.interrupts->entry(vector);
    Handling const handling = entry.handler(entry.argument, interruption);
    if (handling != Handling::handled || taken % storm_window == 0) [[unlikely]] {
        note_handling(cpu, entry, vector, handling);
    }
    if (entry.is_acknowledged) [[likely]] {
        hal::Controller::acknowledge(vector);
    }
    cpu.context = outer;
    if (cpu.work_waits) [[unlikely]] {
        cpu.run_work(cpu); // second halves, and whoever goes before the interrupted thread
    }
}

} // namespace twofold::processor
