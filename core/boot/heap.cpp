// See heap.hpp.
#include "core/boot/heap.hpp"

#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

namespace twofold::boot {

namespace {

using memory::KernelHeapEnvironment;

constexpr Column heap_columns[] = {{"of the heap", 22}, {"bytes", 14}};

/// The first light of a heap: one object and one list, gone again.
Result<void> try_heap(memory::KernelHeap& heap) {
    auto const answer = TRY((memory::Box<int, memory::KernelHeap>::create(heap, 42)));
    memory::Vector<int, memory::KernelHeap> list(heap);
    TRY(list.push(1));
    bool const whole = *answer == 42 && list.size() == 1 && list[0] == 1;
    return whole ? Result<void>() : Error::corrupted;
}

/// What is not used of what is reserved, in hundredths of a percent.
u64 waste(Bytes requested, Bytes reserved) {
    return reserved.value == 0 ? 0 : (reserved - requested).value * 10'000 / reserved.value;
}

} // namespace

Result<void> open_heap(Kernel& kernel) {
    u32 const cpus = kernel.topology.count();
    Bytes const size = align_up(KernelHeapEnvironment::storage_for(cpus), page_size);
    PhysAddr const place = TRY(kernel.frames->allocate(
        {.pages = size / page_size, .content = memory::FrameContent::zeroed}));
    StorageCursor storage(std::span(hal::Memory::linear(place), size.value));
    kernel.heap_environment.emplace(TRY(KernelHeapEnvironment::create(storage, cpus)));
    kernel.heap_backing.emplace(*kernel.space);
    memory::BareKernelHeap* const bare =
        TRY(memory::BareKernelHeap::create(*kernel.heap_backing, *kernel.heap_environment));
    kernel.heap = TRY(layer_heap(kernel, *bare));
    TRY(try_heap(*kernel.heap));
    kernel.log(
        trace::LogLevel::info, "the heap begins at {} and holds {} KiB", kernel.space->heap().base,
        kernel.heap->statistics().committed.value >> 10);
    return {};
}

u8 show_heap(CommandContext& context) {
    if (!context.arguments.empty()) {
        std::span<std::string_view const> const words = context.arguments;
        if (words[0] == "leaks" && words.size() == 1) {
            return list_blocks(context);
        }
        if (words[0] == "misuse") {
            return misuse_heap(context, words.size() == 2 ? words[1] : "");
        }
        context.out.line("heap: 'heap', 'heap leaks' or 'heap misuse KIND'");
        return status::usage;
    }
    memory::KernelHeap& heap = *context.kernel.heap;
    memory::AllocatorStatistics const seen = heap.statistics();
    context.out.table(heap_columns);
    context.out.row({"window", context.kernel.space->heap().size});
    context.out.row({"committed", seen.committed});
    context.out.row({"in blocks", seen.reserved});
    context.out.row({"in caches", seen.cached});
    context.out.row({"requested ever", seen.requested_ever});
    context.out.row({"reserved for it", seen.reserved_ever});
    u64 const lost = waste(seen.requested_ever, seen.reserved_ever);
    context.out.line("internal fragmentation {}.{:02} %", lost / 100, lost % 100);
    if (!heap.verify()) {
        context.out.line("heap: its tables disagree");
        return status::failure;
    }
    return status::success;
}

} // namespace twofold::boot
