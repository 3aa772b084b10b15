// The metal machine: processors. What each has for itself lies at its GS base (cpu_block.hpp).
#pragma once

#include "hal/cpu_types.hpp"
#include "isa/cpuid.hpp"
#include "isa/frames.hpp"
#include "isa/guarded_call.hpp"

namespace hal {

struct Cpu {
    static CpuId id() {
        u32 number;
        // CpuBlock::number. Anew each time: a thread may have come to another processor.
        asm volatile("movl %%gs:16, %0" : "=r"(number));
        return {number};
    }
    static u32 count();
    static CpuDescription describe() { return isa::decode(isa::read_cpuid()); }
    static std::string_view feature_name(unsigned bit) { return isa::feature_name(bit); }

    static void pause() { asm volatile("pause"); }
    /// Input on the serial port ends the wait of the processor that looked for input last.
    static void idle();
    static u64 cycle_counter() {
        u32 low, high;
        asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
        return static_cast<u64>(high) << 32 | low;
    }

    static void* per_cpu() {
        void* pointer;
        asm volatile("movq %%gs:8, %0" : "=r"(pointer)); // CpuBlock::core
        return pointer;
    }
    static void set_per_cpu(void* pointer) {
        asm volatile("movq %0, %%gs:8" : : "r"(pointer) : "memory");
    }
    static void charge(u64) {}

    [[gnu::always_inline]] static inline StackFrame current_frame() { return isa::current_frame(); }
    static std::optional<StackFrame> caller(StackFrame frame) { return isa::caller(frame); }
    static bool guarded_call(RecoveryPoint& point, void (*function)(void*), void* argument) {
        return isa_guarded_call(point, function, argument);
    }
};

} // namespace hal
