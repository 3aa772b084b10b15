// Leaves something in extended registers: void use_avx512_registers(), void use_avx2_registers().
    .text

    .globl use_avx512_registers
    .type use_avx512_registers, @function
use_avx512_registers:
    endbr64
    vpternlogd $0xff, %zmm0, %zmm0, %zmm0
    vpternlogd $0xff, %zmm31, %zmm31, %zmm31
    kxnorw %k1, %k1, %k1
    ret
    .size use_avx512_registers, . - use_avx512_registers

    .globl use_avx2_registers
    .type use_avx2_registers, @function
use_avx2_registers:
    endbr64
    vpcmpeqd %ymm0, %ymm0, %ymm0
    ret
    .size use_avx2_registers, . - use_avx2_registers

    .section .note.GNU-stack, "", @progbits
