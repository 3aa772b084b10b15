// The other processors on the kernel's side of the hosted machine.
#include "hal/processors.hpp"

#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/upcalls.hpp"

#include <isa/context.hpp>
#include <sanitizer_choice.hpp>

namespace hosted {

namespace {

StackBounds bounds_of(std::span<std::byte> stack) {
    return {reinterpret_cast<u64>(stack.data()), stack.size()};
}

/// The first kernel code of a processor that was started.
void begin_processor(void*) {
    GuestCpu& cpu = guest_cpu();
    cpu.machine_bounds = sanitizer::finish_switch(nullptr);
    cpu.switching = false;
    kernel_processor_online();
}

} // namespace

} // namespace hosted

namespace hal {

using namespace hosted;

Bytes Processors::exception_stack_bytes() {
    return {emergency_stack_bytes};
}

u32 Processors::count_max() {
    return cpus_max;
}

void Processors::adopt_boot_processor(u32 hardware_id) {
    CHECK(hardware_id == 0 && Cpu::id() == CpuId{0}); // as the firmware's tables have it
}

Result<void> Processors::start(ProcessorStart const& start) {
    CHECK(start.exception_stacks[0].size() >= emergency_stack_bytes);
    Undisturbed const self;
    if (!self.cpu().machine->has_controller) {
        return Error::invalid_state;
    }
    StartRequest const request{
        .id = start.id.value,
        .hardware_id = start.hardware_id,
        .kernel_stack = isa::prepare_stack(start.stack, begin_processor, nullptr),
        .stack = bounds_of(start.stack),
        .emergency_stack = bounds_of(start.exception_stacks[0]),
        .per_cpu = start.per_cpu};
    __builtin_memcpy(self.cpu().transfer, &request, sizeof(request));
    exit_to_machine(self.cpu(), Request::processor_start);
    return result_of(self.cpu().result);
}

CoreClass Processors::core_class() {
    Undisturbed const self;
    return self.cpu().core_class;
}

void Processors::halt() {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::processor_halt);
    UNREACHABLE();
}

} // namespace hal
