// Enters the kernel's fault upcall on the interrupted stack, and continues what was interrupted with
// every register as it was, extended ones included. See fault_slot.hpp.
//
// The signal handler left rdi = slot and rsp aligned to 64 bytes below the interrupted red zone; the
// general registers are in the slot, the extended ones still in the processor.
#include "hal/hosted/guest/entry_registers.h"

    .section .text.hosted_fault_entry, "ax", @progbits
    .globl  hosted_fault_entry
    .type   hosted_fault_entry, @function
    .p2align 4
hosted_fault_entry:
    endbr64
    save_extended
    subq    $frame_bytes, %rsp
    movq    %rsp, %rsi
    pushq   frame_instruction(%rdi) // the frame is not filled yet
    pushq   frame_rbp(%rdi)
    movq    %rsi, %r13
    movq    %rsp, %rbp
    callq   hosted_fault_dispatch // fills the frame at rsi, releases the slot
    restore_extended
    restore_general
    iretq                       // also at the host's privilege: all five words at once
    .size   hosted_fault_entry, . - hosted_fault_entry

    .section .note.GNU-stack, "", @progbits
