// A virtual CPU of the hosted machine: a host thread's registers, and the per-CPU block in GS.
#pragma once

#include "hal/cpu.hpp"
#include "hal/hosted/cpu_block.hpp"

#include <isa/cpuid.hpp>
#include <isa/frames.hpp>
#include <isa/guarded_call.hpp>

namespace hosted {

/// So many pauses of a spin are made before the host's processor is given away: whoever is waited
/// for may need it. Some microseconds.
inline constexpr u32 pauses_before_yield = 64;

/// Gives the host's processor away, and begins to count pauses anew. See guest/exits.cpp.
void yield_to_host();

} // namespace hosted

namespace hal {

struct Cpu {
    static CpuId id() {
        u32 number;
        asm volatile("movl %%gs:%c1, %0" : "=r"(number) : "i"(offsetof(hosted::CpuBlock, id)));
        return {number};
    }
    static u32 count() { return hosted::cpu_block().count; }
    static CpuDescription describe() { return isa::decode(isa::read_cpuid()); }
    static std::string_view feature_name(unsigned bit) { return isa::feature_name(bit); }
    static void pause() {
        bool many;
        asm volatile("pause\n\taddl $1, %%gs:%c1\n\tcmpl %2, %%gs:%c1"
                     : "=@cca"(many)
                     : "i"(offsetof(hosted::CpuBlock, pauses)), "i"(hosted::pauses_before_yield)
                     : "memory");
        if (many) [[unlikely]] {
            hosted::yield_to_host();
        }
    }
    static void idle();
    static u64 cycle_counter() {
        u32 low;
        u32 high;
        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        return static_cast<u64>(high) << 32 | low;
    }
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
    static void charge(u64) {}
    [[gnu::always_inline]] static StackFrame current_frame() { return isa::current_frame(); }
    static std::optional<StackFrame> caller(StackFrame frame) { return isa::caller(frame); }
    static bool guarded_call(RecoveryPoint& point, void (*function)(void*), void* argument) {
        return isa_guarded_call(point, function, argument);
    }
};

} // namespace hal
