// Enters the kernel's fault upcall on the interrupted stack, and continues what was interrupted with
// every register as it was, extended ones included. See fault_slot.hpp, whose offsets are used here.
//
// The signal handler left rdi = slot and rsp aligned to 64 bytes below the interrupted red zone; the
// general registers are in the slot, the extended ones still in the processor.

    .set    slot_rbp, 64
    .set    slot_instruction, 120
    .set    slot_extended_bytes, 160
    .set    slot_extended_mask, 164
    .set    frame_bytes, 160

    .section .text.hosted_fault_entry, "ax", @progbits
    .globl  hosted_fault_entry
    .type   hosted_fault_entry, @function
    .p2align 4
hosted_fault_entry:
    endbr64
    movl    slot_extended_bytes(%rdi), %ecx
    subq    %rcx, %rsp
    movq    %rsp, %r12
    xorl    %eax, %eax          // XSAVE leaves the header's reserved words, XRSTOR wants zeros
    .irp    offset, 512, 520, 528, 536, 544, 552, 560, 568
    movq    %rax, \offset(%r12)
    .endr
    movl    slot_extended_mask(%rdi), %r14d
    xorl    %edx, %edx
    movl    %r14d, %eax
    testl   %eax, %eax
    jz      1f
    xsave64 (%r12)
    jmp     2f
1:  fxsave64 (%r12)
2:  subq    $frame_bytes, %rsp
    movq    %rsp, %rsi
    movq    %rsp, %r13
    pushq   slot_instruction(%rdi) // as if the interrupted code had called: backtraces go on
    pushq   slot_rbp(%rdi)
    movq    %rsp, %rbp
    callq   hosted_fault_dispatch // fills the frame at rsi, releases the slot
    xorl    %edx, %edx
    movl    %r14d, %eax
    testl   %eax, %eax
    jz      3f
    xrstor64 (%r12)
    jmp     4f
3:  fxrstor64 (%r12)
4:  movq    %r13, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rbp
    popq    %rdi
    popq    %rsi
    popq    %rdx
    popq    %rcx
    popq    %rbx
    popq    %rax
    iretq                       // also at the host's privilege: all five words at once
    .size   hosted_fault_entry, . - hosted_fault_entry

    .section .note.GNU-stack, "", @progbits
