// Doing something on each processor in turn.
#pragma once

#include "apps/workloads/workload.hpp"

namespace twofold::workloads {

/// Moves the calling thread to each processor that runs threads, ascending, and calls there; in the
/// end it may run anywhere. Context thread.
template<class Function>
void on_each_cpu(Run& run, Function const& function) {
    task::Threads& threads = run.task_threads();
    task::Thread& self = task::Threads::current();
    threads.dispatcher().known().for_each([&](CpuId cpu) {
        threads.set_allowed(self, sched::CpuMask::only(cpu)).value();
        while (hal::Cpu::id() != cpu) {
            threads.yield();
        }
        function();
        return true;
    });
    threads.set_allowed(self, sched::CpuMask::all()).value();
}

} // namespace twofold::workloads
