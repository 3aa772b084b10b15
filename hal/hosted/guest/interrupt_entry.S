// Delivers interrupts on the interrupted stack, and continues what was interrupted with every
// register as it was, extended ones included. See fault_slot.hpp.
//
// The signal handler left rdi = the frame of general registers, in the virtual CPU, rsp aligned to
// 64 bytes below the interrupted red zone, and interrupts disabled.
//
// Between enabling interrupts and IRETQ another signal may come. Delivering there would leave one
// more frame on the stack each time. So the handler makes the kernel continue at
// hosted_interrupt_again, with interrupts disabled: the frame below IRETQ's words is built once
// more, where it was; the extended registers are still in their place.
#include "hal/hosted/guest/entry_registers.h"

    .section .text.hosted_interrupt_entry, "ax", @progbits
    .globl  hosted_interrupt_entry
    .type   hosted_interrupt_entry, @function
    .p2align 4
hosted_interrupt_entry:
    endbr64
    save_extended
    .irp    offset, 152, 144, 136, 128, 120, 112, 104, 96, 88, 80, 72, 64, 56, 48, 40, 32, 24, 16, 8, 0
    pushq   \offset(%rdi)
    .endr
1:  movq    %rsp, %r13
    movq    %rsp, %rdi
    link_frame
    callq   hosted_interrupt_dispatch
    restore_extended
    restore_general
    movb    $1, %gs:cpu_interrupts_enabled
    .globl  hosted_interrupt_leaving
hosted_interrupt_leaving:
    cmpb    $0, %gs:cpu_attention // the flags are in the frame
    jne     hosted_interrupt_again
    iretq                       // also at the host's privilege: all five words at once
    .globl  hosted_interrupt_again
hosted_interrupt_again:
    movb    $0, %gs:cpu_interrupts_enabled
    .globl  hosted_interrupt_left
hosted_interrupt_left:
    save_general
    leaq    frame_bytes(%rsp), %r12
    jmp     1b
    .size   hosted_interrupt_entry, . - hosted_interrupt_entry

    .section .note.GNU-stack, "", @progbits
