// Switching between stacks on x86-64: the callee-saved registers go onto the stack that is left,
// and the stack pointer into a word. No floating point, no system call. See context.S.
#pragma once

#include "core/base/base.hpp"

#include <span>

/// Saves the caller's callee-saved registers on its stack, its stack pointer in `*save`, and
/// continues the context whose stack pointer is `load`. Returns when somebody continues the caller.
/// O(1).
extern "C" void isa_switch_context(twofold::u64* save, twofold::u64 load);

/// Where a new context starts; never called. Calls r12(r13); r12 must not return.
extern "C" void isa_context_start();

namespace isa {

using namespace twofold;

/// What isa_switch_context leaves on a stack, from the stack pointer upwards.
struct SwitchFrame {
    u64 r15, r14, r13, r12, rbx, rbp;
    u64 instruction;
};

/// Prepares `stack` so that the first switch to the stack pointer returned calls entry(argument).
/// `stack` is 16-byte aligned and at least 4 KiB; `entry` never returns. O(1).
inline u64 prepare_stack(std::span<std::byte> stack, void (*entry)(void*), void* argument) {
    auto const base = reinterpret_cast<u64>(stack.data());
    CHECK(entry != nullptr && stack.size() >= 4096);
    CHECK(base % 16 == 0 && stack.size() % 16 == 0);
    // Sound: the frame lies inside `stack`, which the caller hands over. 16 bytes of zeros above it
    // end the chain of frames for a backtrace.
    u64 const top = base + stack.size() - 16;
    u64* const end_of_chain = reinterpret_cast<u64*>(top);
    end_of_chain[0] = 0;
    end_of_chain[1] = 0;
    auto* const frame = reinterpret_cast<SwitchFrame*>(top - sizeof(SwitchFrame));
    *frame = {};
    frame->r12 = reinterpret_cast<u64>(entry);
    frame->r13 = reinterpret_cast<u64>(argument);
    frame->rbp = top;
    frame->instruction = reinterpret_cast<u64>(&isa_context_start);
    return reinterpret_cast<u64>(frame);
}

} // namespace isa
