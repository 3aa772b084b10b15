// The performance counters of the running processor.
#include "hal/counters.hpp"

#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"

namespace metal {

namespace {

struct MachineRegisters {
    u64 read(u32 number) { return read_msr(number); }
    void write(u32 number, u64 value) { write_msr(number, value); }
};

PerformanceMonitor<MachineRegisters> monitor() {
    CpuBlock& self = this_processor();
    return {self.counter_facts, self.counter_assignments, MachineRegisters{}};
}

} // namespace

void prepare_counters(CpuBlock& processor) {
    constexpr u32 leaf = 0xa;
    if (isa::cpuid(0, 0).eax >= leaf) {
        processor.counter_facts = decode_counters(isa::cpuid(leaf, 0));
    }
}

} // namespace metal

namespace hal {

bool Counters::has(CounterEvent event) {
    return metal::monitor().has(event);
}

Result<void> Counters::start(CounterEvent event) {
    return metal::monitor().start(event);
}

Result<u64> Counters::read(CounterEvent event) {
    return metal::monitor().read(event);
}

Result<void> Counters::stop(CounterEvent event) {
    return metal::monitor().stop(event);
}

} // namespace hal
