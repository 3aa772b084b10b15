// A processor of the simulator: its time is virtual (hal/hosted/sim/point.hpp), and what it is does
// not depend on the host.
#pragma once

#include "hal/cpu.hpp"
#include "hal/hosted/cpu_block.hpp"
#include "hal/hosted/sim/point.hpp"

#include <isa/cpuid.hpp>
#include <isa/frames.hpp>
#include <isa/guarded_call.hpp>

namespace hosted {

/// What all simulated processors are: the oldest that run x86-64 code of this kernel.
hal::CpuDescription simulated_processor();

} // namespace hosted

namespace hal {

struct Cpu {
    static CpuId id() {
        u32 number;
        asm volatile("movl %%gs:%c1, %0" : "=r"(number) : "i"(offsetof(hosted::CpuBlock, id)));
        return {number};
    }
    static u32 count() { return hosted::cpu_block().count; }
    static CpuDescription describe() { return hosted::simulated_processor(); }
    static std::string_view feature_name(unsigned bit) { return isa::feature_name(bit); }
    static void pause() { hosted::sim_pause(); }
    static void idle();
    /// A cycle is a nanosecond.
    static u64 cycle_counter();
    static void* per_cpu() {
        void* pointer;
        asm volatile("movq %%gs:%c1, %0" : "=r"(pointer) : "i"(offsetof(hosted::CpuBlock, core)));
        return pointer;
    }
    static void set_per_cpu(void* pointer) {
        asm volatile("movq %1, %%gs:%c0"
                     :
                     : "i"(offsetof(hosted::CpuBlock, core)), "r"(pointer)
                     : "memory");
    }
    static void charge(u64 work) { hosted::sim_charge(work); }
    [[gnu::always_inline]] static StackFrame current_frame() { return isa::current_frame(); }
    static std::optional<StackFrame> caller(StackFrame frame) { return isa::caller(frame); }
    static bool guarded_call(RecoveryPoint& point, void (*function)(void*), void* argument) {
        return isa_guarded_call(point, function, argument);
    }
};

} // namespace hal
