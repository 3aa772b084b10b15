// Segments, task state and interrupt vectors.
//
// Source: SDM volume 3A, sections 3.4.5 (segment descriptors), 8.2.3 (the TSS descriptor), 6.14.1
// (64-bit gates).
#include "hal/x86_64/kernel/machine.hpp"

extern "C" {
extern std::byte const metal_vector_entries[];   // exceptions.S, 16 bytes each
extern std::byte metal_double_fault_stack_end[]; // image.ld
extern std::byte metal_non_maskable_stack_end[];
extern std::byte metal_machine_check_stack_end[];
}

namespace metal {

namespace {

struct Gate {
    u16 offset_low;
    u16 selector;
    u8 interrupt_stack;
    u8 type;
    u16 offset_middle;
    u32 offset_high;
    u32 reserved;
};
static_assert(sizeof(Gate) == 16);

struct [[gnu::packed]] TablePointer {
    u16 limit;
    void const* base;
};

constexpr unsigned vector_count = 256;
constexpr usize vector_entry_size = 16;
constexpr u64 code_segment = 0x00af'9b00'0000'ffff;
constexpr u64 data_segment = 0x00cf'9300'0000'ffff;
constexpr u8 interrupt_gate = 0x8e; // present, privilege 0, interrupts disabled on entry

// One table for all processors, written once.
constinit Gate interrupt_gates[vector_count]{};

u8 stack_of(unsigned vector) {
    switch (vector) {
    case 2:
        return interrupt_stack::non_maskable;
    case 8:
        return interrupt_stack::double_fault;
    case 18:
        return interrupt_stack::machine_check;
    default:
        return interrupt_stack::none;
    }
}

void fill_gates() {
    u64 entry = reinterpret_cast<u64>(metal_vector_entries);
    for (unsigned vector = 0; vector < vector_count; ++vector, entry += vector_entry_size) {
        interrupt_gates[vector] = {
            static_cast<u16>(entry),
            selector::kernel_code,
            stack_of(vector),
            interrupt_gate,
            static_cast<u16>(entry >> 16),
            static_cast<u32>(entry >> 32),
            0};
    }
}

void fill_task_state(CpuBlock& processor) {
    TaskState& state = processor.task_state;
    auto const end_of = [](std::byte* stack_end) { return reinterpret_cast<u64>(stack_end); };
    state.interrupt_stacks[interrupt_stack::double_fault - 1] =
        end_of(metal_double_fault_stack_end);
    state.interrupt_stacks[interrupt_stack::non_maskable - 1] =
        end_of(metal_non_maskable_stack_end);
    state.interrupt_stacks[interrupt_stack::machine_check - 1] =
        end_of(metal_machine_check_stack_end);
    state.io_map_offset = sizeof(TaskState); // none
}

void fill_segments(CpuBlock& processor) {
    u64 const base = reinterpret_cast<u64>(&processor.task_state);
    constexpr u64 available_task_state = u64{0x89} << 40;
    processor.descriptors[selector::kernel_code / 8] = code_segment;
    processor.descriptors[selector::kernel_data / 8] = data_segment;
    processor.descriptors[selector::task_state / 8] =
        (sizeof(TaskState) - 1) | (base & 0xff'ffff) << 16 | available_task_state |
        (base >> 24 & 0xff) << 56;
    processor.descriptors[selector::task_state / 8 + 1] = base >> 32;
}

} // namespace

[[gnu::no_stack_protector]] void load_descriptors(CpuBlock& processor) {
    fill_segments(processor);
    fill_task_state(processor);
    fill_gates();
    TablePointer const segments{sizeof(processor.descriptors) - 1, processor.descriptors};
    TablePointer const gates{sizeof(interrupt_gates) - 1, interrupt_gates};
    u64 scratch;
    asm volatile("lgdt %[segments]\n\t"
                 "lidt %[gates]\n\t"
                 "ltr %w[task]\n\t"
                 "movl %[data], %%ss\n\t"
                 "movl %[data], %%ds\n\t"
                 "movl %[data], %%es\n\t"
                 "pushq %[code]\n\t" // a far return is the only way to load CS
                 "leaq 1f(%%rip), %[scratch]\n\t"
                 "pushq %[scratch]\n\t"
                 "lretq\n"
                 "1:"
                 : [scratch] "=&r"(scratch)
                 : [segments] "m"(segments), [gates] "m"(gates), [task] "r"(selector::task_state),
                   [data] "r"(u32{selector::kernel_data}), [code] "i"(selector::kernel_code)
                 : "memory");
}

} // namespace metal
