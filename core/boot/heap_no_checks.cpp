// The kernel's heap in builds without its debugging layer. See heap.hpp; the twin is
// heap_checks.cpp.
#include "core/boot/heap.hpp"

namespace twofold::boot {

namespace {

u8 refuse(CommandContext& context) {
    context.out.line("heap: this build keeps no book of blocks (TWOFOLD_HEAP_CHECKS)");
    return status::failure;
}

} // namespace

Result<memory::KernelHeap*> layer_heap(Kernel&, memory::BareKernelHeap& bare) {
    return &bare;
}

u8 list_blocks(CommandContext& context) {
    return refuse(context);
}

u8 misuse_heap(CommandContext& context, std::string_view) {
    return refuse(context);
}

u64 blocks_in_use(Kernel const&) {
    return 0;
}

void report_leaks(Kernel&) {}

} // namespace twofold::boot
