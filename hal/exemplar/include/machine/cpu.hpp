// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/cpu.hpp"

namespace hal {

struct Cpu {
    static CpuId id();
    static u32 count();
    static CpuDescription describe();
    static std::string_view feature_name(unsigned bit);
    static void pause();
    static void idle();
    static u64 cycle_counter();
    static void* per_cpu();
    static void set_per_cpu(void* pointer);
    static void charge(u64 work);
    static StackFrame current_frame();
    static std::optional<StackFrame> caller(StackFrame frame);
    static bool guarded_call(RecoveryPoint& point, void (*function)(void*), void* argument);
};

} // namespace hal
