// The values that the contract of hal/cpu.hpp speaks of. Apart from it, so that facts of an
// instruction set can name them without a machine.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace hal {

using namespace twofold;

/// A stack frame of a frame-pointer chain: where the function would return to, and the frame above.
struct StackFrame {
    u64 frame_pointer;
    u64 instruction;
};

/// Identity and features of a processor. Feature numbers and names belong to the instruction set.
struct CpuDescription {
    char vendor[16];
    char model[64];
    u32 family;
    u32 model_number;
    u32 stepping;
    u64 features; ///< bit n: feature n, named by Cpu::feature_name(n)
};

/// Where execution continues if a fault is recovered: see Cpu::guarded_call. Opaque to core/.
struct RecoveryPoint {
    u64 registers[8];
};

} // namespace hal
