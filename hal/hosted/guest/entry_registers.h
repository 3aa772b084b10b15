// What the entries of faults and interrupts share: how the registers of interrupted kernel code are
// kept on its stack and given back. For the assembler alone. See fault_slot.hpp and cpu_block.hpp,
// whose offsets are used here.
//
// On the stack, from the stack pointer upwards: the frame of general registers, whose last five
// words are what IRETQ takes, then the extended registers, aligned to 64 bytes. r12 leads to the
// extended registers while kernel code runs, r13 to the frame.

    .set    frame_rbp, 64
    .set    frame_instruction, 120
    .set    frame_bytes, 160
    .set    cpu_extended_bytes, 32
    .set    cpu_extended_mask, 36
    .set    cpu_interrupts_enabled, 44
    .set    cpu_attention, 45
    .set    cpu_extended_instruction, 48
    .set    instruction_xsavec, 3

// Makes room below rsp, which is aligned to 64 bytes, and saves the extended registers there. Uses
// rax, rcx, rdx.
    .macro  save_extended
    movl    %gs:cpu_extended_bytes, %ecx
    subq    %rcx, %rsp
    movq    %rsp, %r12
    xorl    %eax, %eax          // XSAVE leaves the header's reserved words, XRSTOR wants zeros
    .irp    offset, 512, 520, 528, 536, 544, 552, 560, 568
    movq    %rax, \offset(%r12)
    .endr
    xorl    %edx, %edx
    movl    %gs:cpu_extended_mask, %eax
    testl   %eax, %eax
    jz      7f
    cmpb    $instruction_xsavec, %gs:cpu_extended_instruction
    je      6f
    xsave64 (%r12)
    jmp     8f
6:  xsavec64 (%r12)
    jmp     8f
7:  fxsave64 (%r12)
8:
    .endm

// Gives them back.
    .macro  restore_extended
    xorl    %edx, %edx
    movl    %gs:cpu_extended_mask, %eax
    testl   %eax, %eax
    jz      7f
    xrstor64 (%r12)
    jmp     8f
7:  fxrstor64 (%r12)
8:
    .endm

// As if the interrupted code had called: backtraces go on.
    .macro  link_frame
    pushq   frame_instruction(%r13)
    pushq   frame_rbp(%r13)
    movq    %rsp, %rbp
    .endm

// Gives the general registers of the frame at r13 back; what IRETQ takes is left at rsp.
    .macro  restore_general
    movq    %r13, %rsp
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
    .endm

// The reverse.
    .macro  save_general
    pushq   %rax
    pushq   %rbx
    pushq   %rcx
    pushq   %rdx
    pushq   %rsi
    pushq   %rdi
    pushq   %rbp
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    .endm
