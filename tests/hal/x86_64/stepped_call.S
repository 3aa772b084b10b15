// A call in steps (stepper.hpp), System V AMD64.

    .section .text.call_stepped, "ax", @progbits

// void call_stepped(SteppedCall& call /* rdi */)
    .globl  call_stepped
    .type   call_stepped, @function
    .p2align 4
call_stepped:
    endbr64
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    pushq   %rdi                // aligned to 16 bytes now
    movq    %rsp, 136(%rdi)
    movq    32(%rdi), %rbx
    movq    40(%rdi), %rbp
    movq    48(%rdi), %r12
    movq    56(%rdi), %r13
    movq    64(%rdi), %r14
    movq    72(%rdi), %r15
    movq    0(%rdi), %rax
    movq    16(%rdi), %rsi
    movq    24(%rdi), %rdx
    movq    8(%rdi), %rdi
    pushfq
    orq     $0x100, (%rsp)
    popfq
    callq   *%rax
    .globl  call_stepped_return
call_stepped_return:
    pushfq
    andq    $~0x100, (%rsp)
    popfq
    movq    (%rsp), %rcx
    movq    %rbx, 80(%rcx)
    movq    %rbp, 88(%rcx)
    movq    %r12, 96(%rcx)
    movq    %r13, 104(%rcx)
    movq    %r14, 112(%rcx)
    movq    %r15, 120(%rcx)
    movq    %rax, 128(%rcx)
    movq    %rsp, 144(%rcx)
    addq    $8, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    retq
    .size   call_stepped, . - call_stepped

    .section .note.GNU-stack, "", @progbits
