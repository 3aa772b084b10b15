// The image's first instructions: from the state that PVH and Multiboot2 loaders leave (32-bit
// protected mode, flat segments, no paging, no interrupts) to C++ in long mode.
//
// The tables built here map the first 4 GiB where they are, the stub's code executable and not
// writable, everything else writable and not executable. They live until the kernel's own are
// activated.
//
// Sources: Multiboot2 Specification 2.0, sections 3.1 and 3.3; Xen docs/misc/pvh.pandoc; SDM 3A,
// section 10.8.5 (initialising IA-32e mode).

#define PVH_MAGIC      0x336ec578
#define PAGE_PRESENT   0x001
#define PAGE_WRITE     0x002
#define PAGE_LARGE     0x080
#define NO_EXECUTE     0x80000000   /* bit 63, in the high word */
#define CR0_PROTECTED  0x00000001
#define CR0_COPROC     0x00000002   /* WAIT honours TS */
#define CR0_TASK_SWITCHED 0x00000008
#define CR0_NUMERIC    0x00000020
#define CR0_WRITE_PROTECT 0x00010000
#define CR0_PAGING     0x80000000
#define CR0_KERNEL     (CR0_PAGING | CR0_WRITE_PROTECT | CR0_NUMERIC | CR0_TASK_SWITCHED | \
                        CR0_COPROC | CR0_PROTECTED)
#define CR4_PAE        0x00000020
#define EFER           0xc0000080
#define EFER_LONG_MODE 0x00000100
#define EFER_NX        0x00000800
#define CODE_64        0x08
#define DATA           0x10

// ---------------------------------------------------------------- what the loaders look for
    .section .headers, "a", @progbits
    .p2align 3
multiboot2_header:
    .long   0xe85250d6, 0, multiboot2_end - multiboot2_header
    .long   -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))
    .p2align 3                          // a framebuffer, if there is one: any size, 32 bits
    .short  5, 1
    .long   20, 0, 0, 32
    .p2align 3                          // modules on page boundaries
    .short  6, 1
    .long   8
    .p2align 3
    .short  0, 0
    .long   8
multiboot2_end:

    .section .note.Xen, "a", @note
    .p2align 2
    .long   4, 8, 18                    // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz  "Xen"
    .quad   pvh_entry

// ---------------------------------------------------------------- 32-bit code
    .section .text.entry, "ax", @progbits
    .code32
    .globl  multiboot2_entry
    .type   multiboot2_entry, @function
multiboot2_entry:
    movl    %eax, %edi                  // the loader's magic
    jmp     1f
    .type   pvh_entry, @function
pvh_entry:
    movl    $PVH_MAGIC, %edi
1:  cli
    cld
    movl    %ebx, %esi                  // its information
    movl    $stub_stack_top, %esp

    // Long mode and no-execute, or nothing.
    movl    $0x80000000, %eax
    cpuid
    cmpl    $0x80000001, %eax
    jb      unsuitable
    movl    $0x80000001, %eax
    cpuid
    andl    $((1 << 29) | (1 << 20)), %edx
    cmpl    $((1 << 29) | (1 << 20)), %edx
    jne     unsuitable

    // Four directories of 2 MiB pages: writable, not executable.
    movl    $(PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE), %eax
    movl    $identity_directories, %ebx
    movl    $(4 * 512), %ecx
1:  movl    %eax, (%ebx)
    movl    $NO_EXECUTE, 4(%ebx)
    addl    $0x200000, %eax
    addl    $8, %ebx
    decl    %ecx
    jnz     1b

    // The first 2 MiB by 4 KiB pages, so that the code is executable and not writable.
    xorl    %eax, %eax
    movl    $identity_first, %ebx
1:  movl    %eax, %edx
    orl     $(PAGE_PRESENT | PAGE_WRITE), %edx
    movl    $NO_EXECUTE, %ecx
    cmpl    $stub_text_start, %eax
    jb      2f
    cmpl    $stub_text_end, %eax
    jae     2f
    movl    %eax, %edx
    orl     $PAGE_PRESENT, %edx
    xorl    %ecx, %ecx
2:  movl    %edx, (%ebx)
    movl    %ecx, 4(%ebx)
    addl    $8, %ebx
    addl    $0x1000, %eax
    cmpl    $0x200000, %eax
    jne     1b
    movl    $(identity_first + PAGE_PRESENT + PAGE_WRITE), identity_directories
    movl    $0, identity_directories + 4

    // The two tables above them.
    movl    $(identity_directories + PAGE_PRESENT + PAGE_WRITE), %eax
    movl    $identity_pointers, %ebx
    movl    $4, %ecx
1:  movl    %eax, (%ebx)
    addl    $0x1000, %eax
    addl    $8, %ebx
    decl    %ecx
    jnz     1b
    movl    $(identity_pointers + PAGE_PRESENT + PAGE_WRITE), identity_root

    movl    %cr4, %eax
    orl     $CR4_PAE, %eax
    movl    %eax, %cr4
    movl    $identity_root, %eax
    movl    %eax, %cr3
    movl    $EFER, %ecx
    rdmsr
    orl     $(EFER_LONG_MODE | EFER_NX), %eax
    wrmsr
    // Task-switched: the kernel uses no vector register, and an instruction that does shall fault.
    movl    $(CR0_KERNEL), %eax
    movl    %eax, %cr0
    lgdt    descriptors_pointer
    ljmp    $CODE_64, $entry_64

unsuitable:
    movl    $unsuitable_text, %esi
    movl    $(unsuitable_text_end - unsuitable_text), %ecx
    movw    $0x3f8, %dx
    rep outsb
    movw    $0xf4, %dx
    movl    $71, %eax
    outl    %eax, %dx
1:  hlt
    jmp     1b

// ---------------------------------------------------------------- 64-bit code
    .code64
entry_64:
    movw    $DATA, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    xorl    %eax, %eax
    movw    %ax, %fs
    movw    %ax, %gs
    movl    $stub_stack_top, %esp
    xorl    %ebp, %ebp
    callq   stub_main                   // edi = magic, esi = information
    ud2

// [[noreturn]] void enter_kernel(u64 entry /* rdi */, u64 handover /* rsi */, u64 root /* rdx */)
// The kernel's entry activates `root` itself, in whose space this code does not exist.
    .globl  enter_kernel
    .type   enter_kernel, @function
enter_kernel:
    movq    %rdi, %rax
    movq    %rsi, %rdi
    movq    %rdx, %rsi
    jmpq    *%rax

    .section .rodata, "a", @progbits
unsuitable_text:
    .ascii  "twofold: cannot start: the processor has no long mode or no no-execute pages\n"
unsuitable_text_end:
    .p2align 3
descriptors:                            // accessed already: the processor does not write here
    .quad   0
    .quad   0x00af9b000000ffff
    .quad   0x00cf93000000ffff
descriptors_pointer:
    .short  . - descriptors - 1
    .long   descriptors

    .section .bss, "aw", @nobits
    .p2align 12
    .globl  identity_root
identity_root:
    .skip   0x1000
identity_pointers:
    .skip   0x1000
identity_directories:
    .skip   0x4000
identity_first:
    .skip   0x1000
    .skip   0x8000                      // the stub's stack
stub_stack_top:

    .section .note.GNU-stack, "", @progbits
