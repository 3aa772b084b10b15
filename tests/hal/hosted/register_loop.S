// A computation without a safe point that notices if an interrupt changes any of its registers: see
// register_loop.hpp. System V AMD64.

    .macro  check_general register, value
    cmpq    $\value, %\register
    jne     9f
    .endm

    .section .text.register_loop, "ax", @progbits
    .globl  register_loop
    .type   register_loop, @function
    .p2align 4
register_loop:
    endbr64
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    subq    $24, %rsp
    movq    %rdi, (%rsp)        // rounds
    movq    %rsi, 8(%rsp)       // 512 bytes of pattern
    movq    %rdx, 16(%rsp)      // what is read each round
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu \n * 32(%rsi), %ymm\n
    .endr
    movq    $0x1111, %rax
    movq    $0x2222, %rbx
    movq    $0x3333, %rcx
    movq    $0x4444, %rdx
    movq    $0x5555, %rsi
    movq    $0x6666, %rdi
    movq    $0x7777, %rbp
    movq    $0x1888, %r8
    movq    $0x1999, %r9
    movq    $0x1aaa, %r10
    movq    $0x1bbb, %r11
    movq    $0x1ccc, %r12
    movq    $0x1ddd, %r13
    movq    $0x1eee, %r14
    movq    $0x1fff, %r15
    .p2align 4
1:  check_general rax, 0x1111
    check_general rbx, 0x2222
    check_general rcx, 0x3333
    check_general rdx, 0x4444
    check_general rsi, 0x5555
    check_general rdi, 0x6666
    check_general rbp, 0x7777
    check_general r8, 0x1888
    check_general r9, 0x1999
    check_general r10, 0x1aaa
    check_general r11, 0x1bbb
    check_general r12, 0x1ccc
    check_general r13, 0x1ddd
    check_general r14, 0x1eee
    check_general r15, 0x1fff
    movq    16(%rsp), %r15
    movq    (%r15), %r15
    movq    $0x1fff, %r15
    stc                         // flags, too
    nop
    nop
    nop
    nop
    jnc     9f
    decq    (%rsp)
    jnz     1b
    movq    8(%rsp), %rsi
    xorl    %eax, %eax
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vpxor   \n * 32(%rsi), %ymm\n, %ymm\n
    vptest  %ymm\n, %ymm\n
    jnz     9f
    .endr
    jmp     2f
9:  movl    $1, %eax
2:  vzeroupper
    addq    $24, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    retq
    .size   register_loop, . - register_loop

    .globl  red_zone_loop
    .type   red_zone_loop, @function
    .p2align 4
red_zone_loop:
    endbr64
    xorl    %eax, %eax
1:  .irp    n, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128
    movq    $\n, -\n(%rsp)
    .endr
    .irp    n, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128
    xorq    $\n, -\n(%rsp)
    orq     -\n(%rsp), %rax
    .endr
    decq    %rdi
    jnz     1b
    retq
    .size   red_zone_loop, . - red_zone_loop

    .section .note.GNU-stack, "", @progbits
