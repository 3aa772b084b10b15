// Walking a chain of frame pointers: rbp points to the caller's rbp, the return address lies above
// it. Every kernel object is built with frame pointers; the outermost frame holds zeros.
#pragma once

#include "hal/cpu_types.hpp"

#include <optional>

namespace isa {

using namespace twofold;

/// The frame of the function that this is inlined into.
[[gnu::always_inline]] inline hal::StackFrame current_frame() {
    u64 instruction;
    asm volatile("leaq 0(%%rip), %0" : "=r"(instruction));
    return {reinterpret_cast<u64>(__builtin_frame_address(0)), instruction};
}

/// The frame above `frame`, whose two words must be readable; nothing at the end of the chain, or
/// where the chain does not lead upwards and so cannot be one.
inline std::optional<hal::StackFrame> caller(hal::StackFrame frame) {
    if (frame.frame_pointer == 0 || frame.frame_pointer % 8 != 0) {
        return std::nullopt;
    }
    // Sound: the caller vouches that the frame is readable.
    auto const* const words = reinterpret_cast<u64 const*>(frame.frame_pointer);
    hal::StackFrame const above{words[0], words[1]};
    if (above.instruction == 0 ||
        (above.frame_pointer != 0 && above.frame_pointer <= frame.frame_pointer)) {
        return std::nullopt;
    }
    return above;
}

} // namespace isa
