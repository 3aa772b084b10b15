// A virtual CPU of the hosted machine: a host thread's registers, and the per-CPU block in GS.
#pragma once

#include "hal/cpu.hpp"
#include "hal/hosted/cpu_block.hpp"

#include <isa/cpuid.hpp>
#include <isa/frames.hpp>
#include <isa/guarded_call.hpp>

namespace hal {

struct Cpu {
    static CpuId id() {
        u32 number;
        asm("movl %%gs:%c1, %0" : "=r"(number) : "i"(offsetof(hosted::CpuBlock, id)));
        return {number};
    }
    static u32 count() { return hosted::cpu_block().count; }
    static CpuDescription describe() { return isa::decode(isa::read_cpuid()); }
    static std::string_view feature_name(unsigned bit) { return isa::feature_name(bit); }
    static void pause() { asm volatile("pause" ::: "memory"); }
    static void idle();
    static u64 cycle_counter() {
        u32 low;
        u32 high;
        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        return static_cast<u64>(high) << 32 | low;
    }
    static void* per_cpu() { return hosted::cpu_block().core; }
    static void set_per_cpu(void* pointer) { hosted::cpu_block().core = pointer; }
    static void charge(u64) {}
    [[gnu::always_inline]] static StackFrame current_frame() { return isa::current_frame(); }
    static std::optional<StackFrame> caller(StackFrame frame) { return isa::caller(frame); }
    static bool guarded_call(RecoveryPoint& point, void (*function)(void*), void* argument) {
        return isa_guarded_call(point, function, argument);
    }
};

} // namespace hal
