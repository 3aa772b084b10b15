// The context switch that saves the callee-saved registers (isa/context.hpp), System V AMD64 calling
// convention.
//
// It leaves by jumps and not by a return: the address was pushed by another call, so a return
// would always be predicted wrong, and would not match a shadow stack. The last jump carries the
// no-track prefix because it goes back behind a call, where indirect-branch tracking expects no
// landing pad.

    .section .text.isa_context, "ax", @progbits

// void isa_switch_context(u64* save /* rdi */, u64 load /* rsi */)
    .globl  isa_switch_context
    .hidden isa_switch_context
    .type   isa_switch_context, @function
    .p2align 4
isa_switch_context:
    endbr64
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    leaq    isa_context_resume(%rip), %rax
    pushq   %rax
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    popq    %rax
    jmpq    *%rax
    .size   isa_switch_context, . - isa_switch_context

// What the frame of isa_switch_context names as the place to continue at.
    .globl  isa_context_resume
    .hidden isa_context_resume
    .type   isa_context_resume, @function
    .p2align 4
isa_context_resume:
    endbr64
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    popq    %rcx
    notrack jmpq *%rcx
    .size   isa_context_resume, . - isa_context_resume

// Entered by the jump above with r12 = entry, r13 = argument, rsp and rbp = the end of the chain.
    .globl  isa_context_start
    .hidden isa_context_start
    .type   isa_context_start, @function
    .p2align 4
isa_context_start:
    endbr64
    movq    %r13, %rdi
    callq   *%r12
    ud2                         // the entry returned: it must not
    .size   isa_context_start, . - isa_context_start

    .section .note.GNU-stack, "", @progbits
