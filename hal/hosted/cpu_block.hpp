// The per-CPU block of the hosted machine: the part that the contract's inline operations read. GS
// base points at it while the kernel runs, at the same offsets as on metal.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>

namespace hosted {

using namespace twofold;

struct CpuBlock {
    CpuBlock* self = nullptr; ///< offset 0: where the block lies
    void* core = nullptr;     ///< offset 8: the kernel's own per-CPU pointer
    u64 linear_base = 0;      ///< where physical address 0 lies
    u32 id = 0;
    u32 count = 1;
    bool interrupts_enabled = false;
    bool has_clzero = false; ///< of the host's processors
};
static_assert(offsetof(CpuBlock, self) == 0 && offsetof(CpuBlock, core) == 8);

/// The block of the virtual CPU that runs the caller. Kernel code only. O(1).
inline CpuBlock& cpu_block() {
    CpuBlock* block;
    asm volatile("movq %%gs:0, %0" : "=r"(block));
    return *block;
}

} // namespace hosted
