// From the machine's upcall to a handler and back. What lies before the handler is counted: about
// 25 instructions (docs/processors.md).
#pragma once

#include "core/processor/cpu_local.hpp"
#include "hal/controller.hpp"

namespace twofold::processor {

/// Takes an interrupt on this processor, whose state is `cpu`. For the upcall kernel_interrupt.
inline void dispatch(CpuLocal& cpu, hal::Interruption const& interruption) {
    sync::ExecutionContext const outer = cpu.context;
    cpu.context = sync::ExecutionContext::irq;
    VectorCounts& counts = cpu.counts[interruption.vector.value];
    ++counts.taken;
    InterruptTable::Entry const& entry = cpu.interrupts->entry(interruption.vector);
    Handling const handling = entry.handler(entry.argument, interruption);
    if (handling != Handling::handled) [[unlikely]] {
        ++counts.not_handled;
    }
    if (entry.is_acknowledged) {
        hal::Controller::acknowledge(interruption.vector);
    }
    cpu.context = outer;
}

} // namespace twofold::processor
