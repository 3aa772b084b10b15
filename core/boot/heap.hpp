// The kernel's heap: the step of the start-up that opens it, and the command that shows it.
#pragma once

#include "core/boot/command.hpp"
#include "core/memory/memory.hpp"

namespace twofold::boot {

/// Opens the heap in the heap window. A step of the start-up.
Result<void> open_heap(Kernel& kernel);

/// The command `heap`: what it holds; `heap leaks`: the blocks in use by call site; `heap misuse
/// KIND`: does on purpose what the debugging layer finds.
u8 show_heap(CommandContext& context);

// Of the heap's debugging layer: heap_checks.cpp, or heap_no_checks.cpp in builds without.

/// The heap as the kernel uses it, over the bare one.
Result<memory::KernelHeap*> layer_heap(Kernel& kernel, memory::BareKernelHeap& bare);
/// Lists the blocks in use by call site. Status: whether the build keeps book of them.
u8 list_blocks(CommandContext& context);
/// Does what is wrong; `kind` is one of those that a wrong one is answered with.
u8 misuse_heap(CommandContext& context, std::string_view kind);
/// Blocks of the heap that are in use; 0 in builds without checks. O(1).
u64 blocks_in_use(Kernel const& kernel);
/// At the end of a run: lists the blocks that were never given back. Builds with checks only.
void report_leaks(Kernel& kernel);

} // namespace twofold::boot
