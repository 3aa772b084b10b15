// The first instructions of a processor that is started: from real mode to the kernel's tables.
//
// The code is copied to a page below 1 MiB, with the page of TrampolineData behind it
// (kernel/trampoline.hpp), and uses no absolute address but those that it finds there. It has no stack
// before it runs in the kernel's tables.
//
// Source: SDM 3A, sections 9.4.4 (start of an application processor), 10.8.5 (initialising IA-32e mode).

#define DATA            0x1000          /* the page of TrampolineData, from the code on */
#define PROTECTED       8               /* offsets in it */
#define LONG            16
#define LOW_ROOT        24
#define HARDWARE_ID     28
#define KERNEL_ROOT     32
#define STACK           40
#define ENTRY           48
#define BLOCK           56
#define OFFER           96
#define OFFER_MADE      1
#define OFFER_TAKEN     2
#define DATA_SELECTOR   0x10
#define CR0_PROTECTED   0x00000001
#define CR0_COPROC      0x00000002
#define CR0_TASK_SWITCHED 0x00000008
#define CR0_NUMERIC     0x00000020
#define CR0_WRITE_PROTECT 0x00010000
#define CR0_PAGING      0x80000000
#define CR0_KERNEL      (CR0_PAGING | CR0_WRITE_PROTECT | CR0_NUMERIC | CR0_TASK_SWITCHED | \
                         CR0_COPROC | CR0_PROTECTED)
#define CR4_PAE         0x00000020
#define EFER            0xc0000080
#define EFER_LONG_MODE  0x00000100
#define EFER_NX         0x00000800

    .section .rodata.metal_trampoline, "a", @progbits
    .globl  metal_trampoline, metal_trampoline_end
    .globl  metal_trampoline_protected, metal_trampoline_long

    .code16
metal_trampoline:
    cli
    cld
    movw    %cs, %ax
    movw    %ax, %ds
    movzwl  %ax, %ebx
    shll    $4, %ebx                    // where this page lies
    lgdtl   DATA
    movl    $CR0_PROTECTED, %eax
    movl    %eax, %cr0
    ljmpl   *(DATA + PROTECTED)

    .code32
metal_trampoline_protected:
    movw    $DATA_SELECTOR, %ax
    movw    %ax, %ds
    movw    %ax, %es
    movw    %ax, %ss
    leal    DATA(%ebx), %esi
    movl    $CR4_PAE, %eax
    movl    %eax, %cr4
    movl    LOW_ROOT(%esi), %eax
    movl    %eax, %cr3
    movl    $EFER, %ecx
    rdmsr
    orl     $(EFER_LONG_MODE | EFER_NX), %eax
    wrmsr
    movl    $CR0_KERNEL, %eax
    movl    %eax, %cr0
    ljmpl   *LONG(%esi)

    .code64
metal_trampoline_long:
    xorl    %eax, %eax
    movw    %ax, %fs
    movw    %ax, %gs

    // Who am I? Leaf 11 where it has something to say, else what leaf 1 says.
    movl    %esi, %r8d
    cpuid
    cmpl    $11, %eax
    jb      1f
    movl    $11, %eax
    xorl    %ecx, %ecx
    cpuid
    testl   %ebx, %ebx
    jnz     2f
1:  movl    $1, %eax
    cpuid
    movl    %ebx, %edx
    shrl    $24, %edx
2:  cmpl    HARDWARE_ID(%r8), %edx
    jne     park
    movl    $OFFER_MADE, %eax
    movl    $OFFER_TAKEN, %ecx
    lock cmpxchgl %ecx, OFFER(%r8)
    jne     park
    movq    KERNEL_ROOT(%r8), %rsi
    movq    STACK(%r8), %rdx
    movq    BLOCK(%r8), %rdi
    jmpq    *ENTRY(%r8)

park:                                   // it rose too late: nothing here is meant for it
    cli
    hlt
    jmp     park
metal_trampoline_end:

// The kernel image's side, in the half of the tables that is the kernel's.
    .section .text.metal_processor_entry, "ax", @progbits
    .globl  metal_processor_entry
    .type   metal_processor_entry, @function
metal_processor_entry:                  // rdi = CpuBlock*, rsi = root table, rdx = end of the stack
    endbr64
    movq    %rsi, %cr3
    movq    %rdx, %rsp
    xorl    %ebp, %ebp
    pushq   $0                          // the end of the chain of frames
    pushq   $0
    movq    %rsp, %rbp
    callq   metal_processor_start
    ud2
    .size   metal_processor_entry, . - metal_processor_entry

    .section .note.GNU-stack, "", @progbits
