// What the tests of isa_steps.host.cpp have the stubs call. System V AMD64.

    .section .text.stepped_code, "ax", @progbits

    .macro  keep register, value
    cmpq    $\value, %\register
    je      7f
    incq    16(%rbx)
7:
    .endm

// A context that switches back for ever: its argument is a Keeper (isa_steps.host.cpp). Counts its
// rounds, and registers that are not what they were before it was left.
    .globl  context_keeper
    .type   context_keeper, @function
    .p2align 4
context_keeper:                 // rdi = Keeper: 0 saved, 8 where the other is saved, 16 wrong, 24 rounds
    endbr64
    subq    $8, %rsp
    movq    %rdi, %rbx
    movq    $0x1111, %rbp
    movq    $0x2222, %r12
    movq    $0x3333, %r13
    movq    $0x4444, %r14
    movq    $0x5555, %r15
1:  incq    24(%rbx)
    movq    %rbx, %rdi
    movq    8(%rbx), %rsi
    movq    (%rsi), %rsi
    callq   isa_switch_context
    keep    rbp, 0x1111
    keep    r12, 0x2222
    keep    r13, 0x3333
    keep    r14, 0x4444
    keep    r15, 0x5555
    jmp     1b
    .size   context_keeper, . - context_keeper

// Functions for isa_guarded_call: one returns, one ends as a fault does that the machine recovers
// from, with a stack pointer that leads nowhere. rdi = the point.
    .globl  guarded_return
    .type   guarded_return, @function
    .p2align 4
guarded_return:
    endbr64
    movq    $0xbad, %rax
    movq    %rax, %rcx
    movq    %rax, %rdx
    movq    %rax, %rdi
    retq
    .size   guarded_return, . - guarded_return

    .globl  guarded_fault
    .type   guarded_fault, @function
    .p2align 4
guarded_fault:
    endbr64
    movq    $0xbad, %rax
    .irp    register, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    movq    %rax, %\register
    .endr
    movq    $16, %rsp
    jmp     isa_recover
    .size   guarded_fault, . - guarded_fault

    .section .note.GNU-stack, "", @progbits
