// Entering a gate as the processor does, in single steps: see gate_steps.test.cpp, which knows the
// offsets.

    .section .text.metal_gate_steps, "ax", @progbits

// void metal_enter_gate(GateCall& call /* rdi */): pushes what the processor would, sets the trap
// flag and goes to the gate's code, all registers as the call says. Behind the gate's IRETQ, reads
// them again. Interrupts are disabled.
    .globl  metal_enter_gate
    .type   metal_enter_gate, @function
    .p2align 4
metal_enter_gate:
    endbr64
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    pushq   %rdi
    movq    %rsp, %rax
    movq    %rax, 24(%rdi)
    movq    0(%rdi), %rcx
    movq    %rcx, metal_gate_code(%rip)
    andq    $-16, %rsp
    movl    %ss, %ecx
    pushq   %rcx
    pushq   %rax
    pushfq
    movl    %cs, %ecx
    pushq   %rcx
    leaq    metal_gate_return(%rip), %rcx
    pushq   %rcx
    cmpq    $0, 8(%rdi)
    je      1f
    pushq   16(%rdi)            // the error code
1:  movq    %rsp, 32(%rdi)
    .set    offset, 40
    .irp    register, rax, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    movq    offset(%rdi), %\register
    .set    offset, offset + 8
    .endr
    movq    offset(%rdi), %rdi
    pushfq
    orq     $0x100, (%rsp)
    popfq
    jmpq    *metal_gate_code(%rip)
    .globl  metal_gate_return
metal_gate_return:
    xchgq   %rax, (%rsp)        // the call, and what rax was
    movq    %rsp, 288(%rax)
    .set    offset, 168
    .irp    register, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    movq    %\register, offset(%rax)
    .set    offset, offset + 8
    .endr
    movq    %rdi, offset(%rax)
    popq    %rcx
    movq    %rcx, 160(%rax)
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    retq
    .size   metal_enter_gate, . - metal_enter_gate

// The gate of #DB while gates are stepped through.
    .globl  metal_step_entry
    .type   metal_step_entry, @function
    .p2align 4
metal_step_entry:
    endbr64
    cld
    .irp    register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    pushq   %\register
    .endr
    movq    %rsp, %rdi          // the processor aligned the stack; 20 words keep it so
    callq   metal_step
    .irp    register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
    popq    %\register
    .endr
    iretq
    .size   metal_step_entry, . - metal_step_entry

    .section .bss.metal_gate_code, "aw", @nobits
    .p2align 3
metal_gate_code:
    .zero   8

    .section .note.GNU-stack, "", @progbits
