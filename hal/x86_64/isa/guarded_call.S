// The call that a fault can be recovered from (isa/guarded_call.hpp), System V AMD64.

    .section .text.isa_guarded_call, "ax", @progbits

// bool isa_guarded_call(RecoveryPoint& point /* rdi */, void (*function)(void*) /* rsi */,
//                       void* argument /* rdx */)
    .globl  isa_guarded_call
    .hidden isa_guarded_call
    .type   isa_guarded_call, @function
    .p2align 4
isa_guarded_call:
    endbr64
    movq    %rbx, 0(%rdi)
    movq    %rbp, 8(%rdi)
    movq    %r12, 16(%rdi)
    movq    %r13, 24(%rdi)
    movq    %r14, 32(%rdi)
    movq    %r15, 40(%rdi)
    leaq    8(%rsp), %rax       // the stack pointer after the return
    movq    %rax, 48(%rdi)
    movq    (%rsp), %rax        // the return address
    movq    %rax, 56(%rdi)
    pushq   %rbp                // a frame of its own, for backtraces; aligns the stack too
    movq    %rsp, %rbp
    movq    %rdx, %rdi
    callq   *%rsi
    popq    %rbp
    movl    $1, %eax
    retq
    .size   isa_guarded_call, . - isa_guarded_call

// void isa_recover(RecoveryPoint& point /* rdi */)
    .globl  isa_recover
    .hidden isa_recover
    .type   isa_recover, @function
    .p2align 4
isa_recover:
    endbr64
    movq    0(%rdi), %rbx
    movq    8(%rdi), %rbp
    movq    16(%rdi), %r12
    movq    24(%rdi), %r13
    movq    32(%rdi), %r14
    movq    40(%rdi), %r15
    movq    48(%rdi), %rsp
    xorl    %eax, %eax
    notrack jmpq *56(%rdi)      // back behind the call, as a return would; see context.S
    .size   isa_recover, . - isa_recover

    .section .note.GNU-stack, "", @progbits
