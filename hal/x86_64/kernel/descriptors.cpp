// Segments, task state and interrupt vectors.
//
// Source: SDM volume 3A, sections 3.4.5 (segment descriptors), 8.2.3 (the TSS descriptor), 6.14.1
// (64-bit gates).
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/vectors.hpp"

extern "C" {
extern std::byte const metal_exception_entries[]; // exceptions.S, 16 bytes each
extern std::byte const metal_interrupt_entries[]; // interrupts.S, the same
extern std::byte const metal_deadline_entry[], metal_console_entry[], metal_broadcast_entry[];
extern std::byte const metal_error_entry[], metal_legacy_entry[], metal_second_legacy_entry[];
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

constexpr usize vector_entry_size = 16;
constexpr u64 code_segment = 0x00af'9b00'0000'ffff;
constexpr u64 data_segment = 0x00cf'9300'0000'ffff;
constexpr u8 interrupt_gate = 0x8e; // present, privilege 0, interrupts disabled on entry

// One table for all processors, written once.
constinit Gate interrupt_gates[vectors::count]{};

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

void set_gate(unsigned vector, std::byte const* code) {
    u64 const entry = reinterpret_cast<u64>(code);
    interrupt_gates[vector] = {
        static_cast<u16>(entry),
        selector::kernel_code,
        stack_of(vector),
        interrupt_gate,
        static_cast<u16>(entry >> 16),
        static_cast<u32>(entry >> 32),
        0};
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

[[gnu::no_stack_protector]] void fill_vectors() {
    std::byte const* exception = metal_exception_entries;
    std::byte const* interrupt = metal_interrupt_entries;
    for (unsigned vector = 0; vector < vectors::count; ++vector) {
        bool const is_exception = vector < vectors::exception_count;
        std::byte const*& next = is_exception ? exception : interrupt;
        set_gate(vector, next);
        next += vector_entry_size;
    }
    set_gate(vectors::legacy_spurious, metal_legacy_entry);
    set_gate(vectors::legacy_spurious_second, metal_second_legacy_entry);
    set_gate(vectors::deadline.value, metal_deadline_entry);
    set_gate(vectors::console.value, metal_console_entry);
    set_gate(vectors::broadcast.value, metal_broadcast_entry);
    set_gate(vectors::error.value, metal_error_entry);
}

[[gnu::no_stack_protector]] void
set_exception_stacks(CpuBlock& processor, std::byte* const (&ends)[interrupt_stack::count]) {
    for (usize i = 0; i < interrupt_stack::count; ++i) {
        processor.task_state.interrupt_stacks[i] = reinterpret_cast<u64>(ends[i]);
    }
}

[[gnu::no_stack_protector]] void load_descriptors(CpuBlock& processor) {
    fill_segments(processor);
    processor.task_state.io_map_offset = sizeof(TaskState); // none
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
