// The entries of the 32 exceptions: each pushes an error code where the processor does not, and its number,
// and goes on in common. Those of interrupts: interrupts.S.
//
// Source: SDM volume 3A, sections 6.12 to 6.15.

    .section .text.metal_exceptions, "ax", @progbits
    .globl  metal_exception_entries
    .type   metal_exception_entries, @function
    .p2align 4
metal_exception_entries:                   // 16 bytes each
    .set    number, 0
    .rept   32
    .p2align 4
    endbr64
    // Vectors that the processor itself pushes an error code for.
    .if (number == 8) || (number >= 10 && number <= 14) || (number == 17) || (number == 21) || \
        (number == 29) || (number == 30)
    .else
    pushq   $0
    .endif
    .byte   0x68                        // pushq imm32, so that every entry has one size
    .long   number
    .byte   0xe9                        // jmp rel32
    .long   common - (. + 4)
    .set    number, number + 1
    .endr
    .p2align 4
    .size   metal_exception_entries, . - metal_exception_entries

    .type   common, @function
common:
    cld
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
    movq    %rsp, %rdi                  // the processor aligned the stack; 22 words keep it so
    callq   metal_exception
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
    addq    $16, %rsp
    iretq
    .size   common, . - common

    .section .note.GNU-stack, "", @progbits
