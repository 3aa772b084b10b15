// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/processors_types.hpp"

namespace hal {

struct Processors {
    static Bytes area_bytes();
    static u32 exception_stack_count();
    static Bytes exception_stack_bytes();
    static Bytes low_bytes();
    static u32 count_max();
    static void adopt_boot_processor(u32 hardware_id);
    static Result<void> start(ProcessorStart const& start);
    static CoreClass core_class();
    [[noreturn]] static void halt();
};

} // namespace hal
