// The values that the contract of hal/processors.hpp speaks of.
#pragma once

#include "core/base/base.hpp"

#include <span>

namespace hal {

using namespace twofold;

/// What kind of core a processor is, where a machine mixes them.
enum class CoreClass : u8 { uniform, performance, efficiency };

/// What the kernel gives a processor that it starts. All of it stays the machine's as long as the
/// processor runs.
struct ProcessorStart {
    static constexpr usize exception_stacks_max = 4;

    CpuId id;                   ///< dense from 1; 0 is the boot processor
    u32 hardware_id = 0;        ///< how firmware's tables name it
    std::span<std::byte> stack; ///< the stack that it enters the kernel on; below it lies a guard
    /// Processors::exception_stack_count() of them, exception_stack_bytes() each; below each lies a
    /// guard.
    std::span<std::byte> exception_stacks[exception_stacks_max];
    std::span<std::byte> area; ///< Processors::area_bytes(), page-aligned, zeroed
    PhysAddr low; ///< Processors::low_bytes() of RAM below 1 MiB, page-aligned, for the start
    void* per_cpu = nullptr; ///< becomes its per-CPU pointer
};

} // namespace hal
