// The first instructions of the kernel image: leaves the stub's tables for its own and takes its
// stack.

    .section .text.metal_entry, "ax", @progbits
    .globl  metal_entry
    .type   metal_entry, @function
metal_entry:                            // rdi = Handover*, rsi = physical address of the root table
    endbr64
    movq    %rsi, %cr3                  // the identity mapping ends here
    leaq    metal_boot_stack_end(%rip), %rsp
    xorl    %ebp, %ebp
    pushq   $0                          // the end of the chain of frames
    pushq   $0
    movq    %rsp, %rbp
    callq   metal_start
    ud2
    .size   metal_entry, . - metal_entry

    .section .note.GNU-stack, "", @progbits
