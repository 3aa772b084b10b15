// The entries of the interrupt vectors from 32 on: one for each vector that reaches the kernel, and
// one for each that the machine keeps.
//
// Only what a C++ function may change is saved. The entry pushes the interrupted frame pointer below
// what the processor has pushed, and the vector below that: these three words are the
// hal::Interruption, where they lie, and the upper two a stack frame that leads to what was
// interrupted. 17 instructions to the first one of the function.
//
// Source: SDM volume 3A, section 6.14 (64-bit mode: the stack is 16-aligned before the frame is pushed).

    .macro  enter_and_leave function
    cld
    pushq   %rax
    pushq   %rcx
    pushq   %rdx
    pushq   %rsi
    pushq   %rdi
    pushq   %r8
    pushq   %r9
    pushq   %r10
    pushq   %r11                        // 5 words of the processor's, 2 of the entry's and 9: aligned
    leaq    (9 * 8)(%rsp), %rdi         // the Interruption
    leaq    (10 * 8)(%rsp), %rbp        // and the frame of what was interrupted
    callq   \function
    popq    %r11
    popq    %r10
    popq    %r9
    popq    %r8
    popq    %rdi
    popq    %rsi
    popq    %rdx
    popq    %rcx
    popq    %rax
    addq    $8, %rsp
    popq    %rbp
    iretq
    .endm

    .section .text.metal_interrupts, "ax", @progbits
    .globl  metal_interrupt_entries
    .type   metal_interrupt_entries, @function
    .p2align 4
metal_interrupt_entries:                // 16 bytes each
    .set    number, 32
    .rept   224
    .p2align 4
    endbr64
    pushq   %rbp
    .byte   0x68                        // pushq imm32, so that every entry has one size
    .long   number
    .byte   0xe9                        // jmp rel32
    .long   to_kernel - (. + 4)
    .set    number, number + 1
    .endr
    .p2align 4
    .size   metal_interrupt_entries, . - metal_interrupt_entries

    .type   to_kernel, @function
to_kernel:
    enter_and_leave kernel_interrupt
    .size   to_kernel, . - to_kernel

    // The machine's own: what they are called with has no vector.
    .macro  own_entry name function
    .globl  \name
    .type   \name, @function
    .p2align 4
\name:
    endbr64
    pushq   %rbp
    pushq   $0
    enter_and_leave \function
    .size   \name, . - \name
    .endm

    own_entry metal_deadline_entry metal_deadline
    own_entry metal_console_entry metal_console_input
    own_entry metal_broadcast_entry metal_broadcast
    own_entry metal_error_entry metal_local_error

    // What a masked legacy controller still raises. The second one's looks like a real interrupt to
    // the first, which has to be told (Intel 8259A data sheet).
    .globl  metal_legacy_entry
    .type   metal_legacy_entry, @function
    .p2align 4
metal_legacy_entry:
    endbr64
    iretq
    .size   metal_legacy_entry, . - metal_legacy_entry

    .globl  metal_second_legacy_entry
    .type   metal_second_legacy_entry, @function
    .p2align 4
metal_second_legacy_entry:
    endbr64
    pushq   %rax
    movb    $0x20, %al
    outb    %al, $0x20
    popq    %rax
    iretq
    .size   metal_second_legacy_entry, . - metal_second_legacy_entry

    .section .note.GNU-stack, "", @progbits
