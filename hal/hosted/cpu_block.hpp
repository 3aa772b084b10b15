// The per-CPU block of the hosted machine: the part that the contract's inline operations read. GS
// base points at it while the kernel runs, at the same offsets as on metal.
//
// A kernel thread may be interrupted between any two instructions and go on on another processor.
// So what must be this processor's is reached by one instruction relative to GS, never by a pointer
// to the block that was read before, unless interrupts are disabled.
#pragma once

#include "core/base/base.hpp"

#include "hal/hosted/sim/virtual_time.hpp"

#include <isa/extended_state.hpp>

#include <cstddef>

namespace hosted {

using namespace twofold;

/// How the host's counter becomes the machine's time. The same on every processor of a machine.
struct CounterScale {
    u64 base_cycles = 0;
    u64 base_ns = 0;    ///< the time at `base_cycles`
    u64 multiplier = 0; ///< nanoseconds a cycle, times 2^32; 0: there is no clock yet

    u64 nanoseconds(u64 cycles) const {
        u64 const passed = cycles > base_cycles ? cycles - base_cycles : 0;
        auto const scaled = static_cast<unsigned __int128>(passed) * multiplier;
        return base_ns + static_cast<u64>(scaled >> 32);
    }
};

struct CpuBlock {
    CpuBlock* self = nullptr; ///< offset 0: where the block lies
    void* core = nullptr;     ///< offset 8: the kernel's own per-CPU pointer
    u64 linear_base = 0;      ///< where physical address 0 lies
    u32 id = 0;
    u32 count = 1;
    u32 extended_bytes = 0; ///< room for the extended registers, a multiple of 64
    u32 extended_mask = 0;  ///< which of them XSAVE keeps; 0: the processor has FXSAVE only
    u32 pauses = 0;         ///< before a spin gives the host's processor away, guest/yield
    bool interrupts_enabled = false;
    bool attention = false;  ///< something is pending that the next safe point has to look at
    bool switching = false;  ///< between two stacks: not to be interrupted
    bool has_clzero = false; ///< of the host's processors
    isa::SaveInstruction extended_instruction{};
    bool counter_distrusted = false;
    CounterScale scale{};
    alignas(64) VirtualTime time{}; ///< in the simulator
};
static_assert(offsetof(CpuBlock, time) == virtual_time_offset);
static_assert(offsetof(CpuBlock, self) == 0 && offsetof(CpuBlock, core) == 8);
// guest/entry_registers.h knows these offsets.
static_assert(offsetof(CpuBlock, extended_bytes) == 32 && offsetof(CpuBlock, extended_mask) == 36);
static_assert(offsetof(CpuBlock, interrupts_enabled) == 44 && offsetof(CpuBlock, attention) == 45);
static_assert(offsetof(CpuBlock, extended_instruction) == 48);
static_assert(static_cast<u8>(isa::SaveInstruction::xsavec) == 3);

/// The block of the virtual CPU that runs the caller. Kernel code only. O(1).
inline CpuBlock& cpu_block() {
    CpuBlock* block;
    asm volatile("movq %%gs:0, %0" : "=r"(block));
    return *block;
}

/// Sets a flag of this processor in one instruction; kernel code only. The compiler moves no access
/// to memory across it.
template<usize offset>
inline void set_flag(bool value) {
    asm volatile("movb %1, %%gs:%c0" : : "i"(offset), "qi"(value) : "memory");
}

template<usize offset>
inline bool read_flag() {
    bool value;
    asm volatile("movb %%gs:%c1, %0" : "=q"(value) : "i"(offset) : "memory");
    return value;
}

inline constexpr usize enabled_flag = offsetof(CpuBlock, interrupts_enabled);
inline constexpr usize attention_flag = offsetof(CpuBlock, attention);
inline constexpr usize switching_flag = offsetof(CpuBlock, switching);

/// Delivers what is pending; interrupts are enabled. See guest/interrupts.cpp.
void deliver_pending();

} // namespace hosted
