# The start of the test guest: PVH's 32-bit entry, an identity map of the first gigabyte, long mode,
# then guest_main. Source: Xen's "x86/HVM direct boot ABI", Intel SDM volume 3A, section 10.8.5.

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18                  # sizes of name and descriptor; XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long start32

    .section .text
    .code32
    .globl start32
    .type start32, @function
start32:
    cld
    movl $stack_end, %esp
    movl %ebx, start_info           # physical address of hvm_start_info
    movl $level3 + 3, level4
    movl $level2 + 3, level3
    movl $0x83, %eax                # present, writable, 2 MiB
    xorl %ecx, %ecx
1:  movl %eax, level2(, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $512, %ecx
    jne 1b
    movl %cr4, %eax
    orl $0x20, %eax                 # PAE
    movl %eax, %cr4
    movl $level4, %eax
    movl %eax, %cr3
    movl $0xC0000080, %ecx          # EFER
    rdmsr
    orl $0x100, %eax                # LME
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax           # PG, PE
    movl %eax, %cr0
    lgdt table_pointer
    ljmp $8, $start64
    .size start32, . - start32

    .code64
    .type start64, @function
start64:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl start_info, %edi
    xorl %ebp, %ebp                 # the end of the frame-pointer chain
    call guest_main
1:  hlt
    jmp 1b
    .size start64, . - start64

    .section .rodata
    .balign 8
table:
    .quad 0
    .quad 0x00AF9A000000FFFF        # 64-bit code
    .quad 0x00CF92000000FFFF        # data
table_pointer:
    .word . - table - 1
    .long table

    .section .bss
    .balign 4096
level4: .skip 4096
level3: .skip 4096
level2: .skip 4096
stack:  .skip 16384
stack_end:
start_info: .skip 8

    .section .note.GNU-stack, "", @progbits
