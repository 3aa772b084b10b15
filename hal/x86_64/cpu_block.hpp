// What each processor of the metal machine has for itself, at its GS base: the core's pointer, the
// stack protector's canary, and the descriptor tables that the processor reads.
//
// Invariant: the offsets below are known to machine_metal's compiler flags (the canary) and to the
// inline assembly of machine/cpu.hpp.
#pragma once

#include "core/base/base.hpp"
#include "hal/x86_64/devices/performance_monitor.hpp"

#include <cstddef>

namespace metal {

using namespace twofold;

/// Selectors of the global descriptor table.
namespace selector {

inline constexpr u16 kernel_code = 0x08;
inline constexpr u16 kernel_data = 0x10;
inline constexpr u16 task_state = 0x18; ///< two entries

} // namespace selector

/// The 64-bit task state segment (SDM volume 3A, figure 8-11): only stacks and the I/O map's
/// offset.
struct [[gnu::packed]] TaskState {
    u32 reserved_0;
    u64 privileged_stacks[3];
    u64 reserved_1;
    u64 interrupt_stacks[7]; ///< IST1 to IST7
    u64 reserved_2;
    u16 reserved_3;
    u16 io_map_offset;
};
static_assert(sizeof(TaskState) == 104);

/// The stacks that an exception switches to whatever the stack pointer is, as IST numbers.
namespace interrupt_stack {

inline constexpr u8 none = 0;
inline constexpr u8 double_fault = 1;
inline constexpr u8 non_maskable = 2;
inline constexpr u8 machine_check = 3;
inline constexpr usize count = 3;

} // namespace interrupt_stack

struct alignas(64) CpuBlock {
    static constexpr i64 never = i64{~u64{0} >> 1}; ///< no deadline

    CpuBlock* self;
    void* core; ///< the contract's per-CPU pointer
    u32 number;
    u32 has_clzero;  ///< of this processor: 1 or 0
    u32 hardware_id; ///< of its local APIC
    u32 reserved[3];
    u64 canary;
    u64 descriptors[5];
    TaskState task_state;

    // Read by other processors where the HPET fires deadlines; else its own.
    Atomic<i64> deadline_ns{never}; ///< the kernel's
    Atomic<i64> wake_ns{never};     ///< the machine's own, see wait_for
    i64 clock_floor_ns = 0;         ///< what `now` said here before its counter was distrusted
    bool has_clock_floor = false;
    u32 local_errors = 0; ///< all that its local APIC has reported, as bits (SDM 3A, 11.5.3)
    CounterFacts counter_facts{};
    CounterAssignments counter_assignments{};
};
static_assert(offsetof(CpuBlock, core) == 8, "machine/cpu.hpp reads it");
static_assert(offsetof(CpuBlock, self) == 0, "kernel/machine.hpp reads it");
static_assert(offsetof(CpuBlock, number) == 16, "machine/cpu.hpp reads it");
static_assert(offsetof(CpuBlock, has_clzero) == 20, "machine/memory.hpp reads it");
static_assert(offsetof(CpuBlock, canary) == 40, "-mstack-protector-guard-offset says so");

} // namespace metal
