// The hosted machine's processors: each is a thread of the host.
#pragma once

#include "hal/processors_types.hpp"

namespace hal {

struct Processors {
    static Bytes area_bytes() { return {0}; }
    /// For faults that cannot trust the stack that they interrupt.
    static u32 exception_stack_count() { return 1; }
    static Bytes exception_stack_bytes();
    static Bytes low_bytes() { return {0}; }
    static u32 count_max();
    static void adopt_boot_processor(u32 hardware_id);
    static Result<void> start(ProcessorStart const& start);
    static CoreClass core_class();
    [[noreturn]] static void halt();
};

} // namespace hal
