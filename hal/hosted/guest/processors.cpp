// The other processors, and performance counters, on the kernel's side of the hosted machine.
#include "hal/processors.hpp"

#include "hal/counters.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"

namespace hal {

using namespace hosted;

Bytes Processors::exception_stack_bytes() {
    return {emergency_stack_bytes};
}

u32 Processors::count_max() {
    return cpu_block().count;
}

void Processors::adopt_boot_processor(u32) {}

Result<void> Processors::start(ProcessorStart const&) {
    return Error::not_supported;
}

CoreClass Processors::core_class() {
    return CoreClass::uniform;
}

void Processors::halt() {
    while (true) {
        Interrupt::disable();
        Cpu::idle();
    }
}

bool Counters::has(CounterEvent) {
    return false;
}

Result<void> Counters::start(CounterEvent) {
    return Error::not_supported;
}

Result<u64> Counters::read(CounterEvent) {
    return Error::not_found;
}

Result<void> Counters::stop(CounterEvent) {
    return Error::not_found;
}

} // namespace hal
