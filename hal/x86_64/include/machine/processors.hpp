// The metal machine: application processors, started by INIT and SIPI.
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
    /// Also invalid_argument: memory is missing or too small. One that timed out is reset, so that
    /// what it was given can be used again.
    static Result<void> start(ProcessorStart const& start);
    static CoreClass core_class();
    [[noreturn]] static void halt();
};

} // namespace hal
