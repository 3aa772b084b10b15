// Switching between stacks on x86-64. No floating point, no system call.
//
// A context that does not run is a stack pointer, at which the address lies where it is to be
// continued; what else it needs lies above, as that place alone knows. So the two switches below
// continue each other's contexts. What both keep is the stack, the frame pointer and the registers
// that a caller expects to be kept. They differ in who saves these: `isa_switch_context` all six,
// in the frame; `switch_live` none, the compiler those that hold something, around it.
//
// docs/scheduling.md has the figures. Source of the second: D. Grunwald and R. Neves,
// "Whole-program optimization for time and space efficient threads", ASPLOS 1996; as inline
// assembly it is what several libraries of coroutines do.
#pragma once

#include "core/base/base.hpp"

#include <span>

/// Saves the caller's callee-saved registers on its stack, its stack pointer in `*save`, and
/// continues the context whose stack pointer is `load`. Returns when somebody continues the caller.
/// O(1).
extern "C" void isa_switch_context(twofold::u64* save, twofold::u64 load);

/// Where isa_switch_context has its callers continued; never called.
extern "C" void isa_context_resume();

/// Where a new context starts; never called. Calls r12(r13); r12 must not return.
extern "C" void isa_context_start();

namespace isa {

using namespace twofold;

/// What isa_switch_context leaves on a stack, from the stack pointer upwards.
struct SwitchFrame {
    u64 resume; ///< isa_context_resume
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
    frame->resume = reinterpret_cast<u64>(&isa_context_resume);
    frame->r12 = reinterpret_cast<u64>(entry);
    frame->r13 = reinterpret_cast<u64>(argument);
    frame->rbp = top;
    frame->instruction = reinterpret_cast<u64>(&isa_context_start);
    return reinterpret_cast<u64>(frame);
}

/// As isa_switch_context, inline: all registers are clobbered, so the compiler keeps what is live
/// across the switch and nothing else. The frame pointer is kept by hand, since it may be no
/// clobber where the compiler uses it for frames. The place to continue at begins with a landing
/// pad, for indirect-branch tracking. For code that is compiled without a red zone and without
/// vector registers, as kernel code is. O(1).
[[gnu::always_inline]] inline void switch_live(u64* save, u64 load) {
    asm volatile("pushq %%rbp\n\t"
                 "leaq 1f(%%rip), %%rax\n\t"
                 "pushq %%rax\n\t"
                 "movq %%rsp, (%[save])\n\t"
                 "movq %[load], %%rsp\n\t"
                 "popq %%rax\n\t"
                 "jmpq *%%rax\n"
                 "1:\tendbr64\n\t"
                 "popq %%rbp"
                 : [save] "+D"(save), [load] "+S"(load)
                 :
                 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                   "memory", "cc");
}

/// The contract's Context where nothing watches the stacks.
class PlainContext {
public:
    void create(std::span<std::byte> stack, void (*entry)(void*), void* argument) {
        m_stack_pointer = prepare_stack(stack, entry, argument);
    }
    [[gnu::always_inline]] static void switch_between(PlainContext& from, PlainContext& to) {
        u64 const target = to.m_stack_pointer;
        CHECK(target != 0);
        to.m_stack_pointer = 0; // continued at most once for each time it was saved
        switch_live(&from.m_stack_pointer, target);
    }

private:
    u64 m_stack_pointer = 0;
};

} // namespace isa
