// A fault on its way from the host's signal handler to the kernel.
//
// The handler writes what was interrupted into the slot of the virtual CPU and returns into
// `hosted_fault_entry` (fault_entry.S) on the interrupted kernel stack. That saves the extended
// registers there, copies the slot and releases it. Until then the slot is busy: a second fault in
// that time means that the stack cannot be trusted, and becomes a double fault on the emergency
// stack; a third ends the machine.
#pragma once

#include "hal/hosted/guest/stack_bounds.hpp"
#include "hal/upcalls.hpp"

#include <cstddef>

namespace hosted {

/// The interrupted general registers, in the order in which fault_entry.S pops them; the last five
/// words are what IRETQ takes.
struct FaultFrame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 instruction, code_segment, flags, stack_pointer, stack_segment;
};
static_assert(
    sizeof(FaultFrame) == 20 * sizeof(u64) &&
    offsetof(FaultFrame, instruction) == 15 * sizeof(u64));

struct FaultSlot {
    FaultFrame frame{};
    bool busy = false;
    bool interrupts_enabled =
        false;              ///< where it happened; the handler disables them, as a gate does
    bool emergency = false; ///< delivered on the emergency stack
    hal::FaultKind kind{};
    hal::PageFaultCause cause{};
    char const* name = "";
    u64 code = 0;
    u64 address = 0;
};
// entry_registers.h knows these offsets.
static_assert(offsetof(FaultSlot, frame) == 0);
static_assert(offsetof(FaultFrame, rbp) == 64);

} // namespace hosted

/// Where the signal handler makes a faulting kernel continue: rdi is the slot, rsp a stack aligned
/// to 64 bytes. Never called.
extern "C" void hosted_fault_entry();

/// The same for an interrupted kernel; rdi is the frame, and interrupts are disabled.
extern "C" void hosted_interrupt_entry();
/// The end of that entry, from where interrupts are enabled again to where the interrupted code
/// goes on, and where a signal in between makes it continue: see interrupt_entry.S.
extern "C" char const hosted_interrupt_leaving[];
extern "C" char const hosted_interrupt_left[];
extern "C" void hosted_interrupt_again();
