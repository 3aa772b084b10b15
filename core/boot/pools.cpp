// See pools.hpp.
#include "core/boot/pools.hpp"

#include "core/boot/kernel.hpp"
#include "hal/cpu.hpp"
#include "hal/memory.hpp"

namespace twofold::boot {

namespace {

using memory::ScratchBuffers;
using memory::TensorClass;
using memory::TensorPool;

constexpr Column scratch_columns[] = {
    {"scratch of", 10}, {"bytes", 6}, {"leases", 10}, {"refused", 8}, {"state", 0}};
constexpr Column tensor_columns[] = {{"tensors", 12},     {"region KiB", 11}, {"committed", 10},
                                     {"used KiB", 10},    {"most KiB", 10},   {"blocks", 7},
                                     {"allocations", 11}, {"failures", 8}};
constexpr Column record_columns[] = {{"of the records", 14}, {"count", 10}};

constexpr u64 kib(Bytes size) {
    return size.value >> 10;
}

void show_tensors(CommandOutput& out, TensorPool const& tensors) {
    out.table(tensor_columns);
    for (usize kind = 0; kind < memory::tensor_class_count; ++kind) {
        auto const which = static_cast<TensorClass>(kind);
        memory::TensorStatistics const seen = tensors.statistics(which);
        out.row(
            {memory::tensor_class_name(which), kib(seen.region), kib(seen.committed),
             kib(seen.used), kib(seen.used_max), seen.blocks, seen.allocations, seen.failures});
    }
    memory::PoolStatistics const records = tensors.records();
    out.table(record_columns);
    out.row({"live", records.live});
    out.row({"at most", records.capacity});
    out.row({"KiB committed", kib(records.committed)});
}

} // namespace

Result<void> open_pools(Kernel& kernel) {
    u32 const cpus = kernel.topology.count();
    // They live as long as the kernel, so no block of the heap is theirs.
    Bytes const records = ScratchBuffers::storage_for(cpus);
    Bytes const size =
        align_up(records + Bytes{sizeof(KernelPools) + alignof(KernelPools)}, page_size);
    PhysAddr const pages = TRY(kernel.frames->allocate(
        {.pages = size / page_size, .content = memory::FrameContent::zeroed}));
    StorageCursor storage(std::span(hal::Memory::linear(pages), size.value));
    auto const place = TRY(storage.take_bytes(sizeof(KernelPools), alignof(KernelPools)));
    kernel.pools = std::construct_at(
        room_for<KernelPools>(place.data()),
        KernelPools{
            TRY(ScratchBuffers::create(*kernel.space, storage, cpus)),
            TRY(TensorPool::create(*kernel.space, TensorPool::default_region()))});
    return {};
}

u8 show_pools(CommandContext& context) {
    KernelPools& pools = *context.kernel.pools;
    context.out.table(scratch_columns);
    for (u32 cpu = 0; cpu < pools.scratch.cpus(); ++cpu) {
        memory::ScratchStatistics const seen = pools.scratch.statistics({cpu});
        char name[16];
        context.out.row(
            {format_to(std::span(name), "{}", CpuId{cpu}).text, ScratchBuffers::buffer_size,
             seen.leases, seen.refused, seen.taken ? "taken" : "free"});
    }
    show_tensors(context.out, pools.tensors);
    bool const sound = pools.scratch.verify() && pools.tensors.verify();
    if (!sound) {
        context.out.line("pools: what they keep does not agree");
    }
    return sound ? status::success : status::failure;
}

} // namespace twofold::boot
