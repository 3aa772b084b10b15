// What the NVMe driver itself costs: requests that are built, told of, taken back and given back,
// with a controller that is memory. Its own work is not measured: the clock stands while it
// answers.
//
// Each round is one batch; shown are the mean of all, and the median, of one request.
#include "bench/block/commands/commands.hpp"

#include "core/boot/measuring.hpp"
#include "tests/support/running_nvme.hpp"

#include <algorithm>

namespace twofold::bench {

namespace {

using boot::CommandContext;
using test_nvme::Running;

constexpr u32 depth_max = 120, rounds_max = 100'000;

struct Batch {
    static void take(block::Request& request, Result<void> outcome) {
        ++static_cast<Batch*>(request.context)->done;
        CHECK(outcome.has_value());
    }

    block::Request requests[depth_max];
    block::Segment segments[depth_max];
    u32 samples[rounds_max]; ///< of both halves, in ns
    u32 done = 0;
};

struct Load {
    std::string_view name;
    u32 depth;
    u32 sectors;
    bool has_sgl;
};
constexpr Load loads[] = {
    {"4 KiB, depth 1", 1, 8, false},
    {"4 KiB, depth 32", 32, 8, false},
    {"4 KiB, depth 120", 120, 8, false},
    {"128 KiB by PRP, depth 32", 32, 256, false},
    {"128 KiB by SGL, depth 32", 32, 256, true}};

u64 now_ns() {
    return static_cast<u64>(hal::Clock::now().value);
}

/// Nanoseconds that the driver takes for a batch that is answered in between.
u64 time_batch(Running& it, Batch& batch, Load const& load) {
    u64 const began = now_ns();
    it.space->hold();
    for (u32 i = 0; i < load.depth; ++i) {
        CHECK(it.space->submit(batch.requests[i]).has_value());
    }
    it.space->release();
    u64 const submitted = now_ns();
    CHECK(it.answer(load.depth) == load.depth);
    u64 const answered = now_ns();
    CHECK(it.space->poll() == load.depth);
    return submitted - began + (now_ns() - answered);
}

Result<void> measure(CommandContext& context, Batch& batch, Load const& load, u32 rounds) {
    Running it;
    it.scripted->said.sgl_support = load.has_sgl ? 1 : 0;
    TRY(it.open());
    for (u32 i = 0; i < load.depth; ++i) {
        batch.segments[i] = {PhysAddr{0x10'0000 + u64{i} * 0x2'0000}, load.sectors * 512};
        block::Request& request = batch.requests[i];
        request.operation = block::Operation::read;
        request.sector = u64{i} * load.sectors;
        request.count = load.sectors;
        request.segments = std::span(&batch.segments[i], 1);
        request.done = Batch::take;
        request.context = &batch;
    }
    for (u32 round = 0; round < 100; ++round) { // warm
        static_cast<void>(time_batch(it, batch, load));
    }
    auto const before = it.counts();
    u64 sum = 0;
    for (u32 round = 0; round < rounds; ++round) {
        u64 const took = time_batch(it, batch, load);
        batch.samples[round] = static_cast<u32>(std::min<u64>(took, UINT32_MAX));
        sum += took;
    }
    auto const after = it.counts();
    std::sort(batch.samples, batch.samples + rounds);
    u64 const requests = u64{rounds} * load.depth;
    context.out.row(
        {load.name, requests, sum * 1000 / requests, u64{batch.samples[rounds / 2]} / load.depth,
         u64{batch.samples[rounds - 1]} / load.depth});
    u64 const rings = after.submission_doorbells + after.completion_doorbells -
                      before.submission_doorbells - before.completion_doorbells;
    CHECK(load.depth < 32 || rings * 16 <= requests);
    return {};
}

u8 measure_nvme(CommandContext& context) {
    auto const rounds = boot::number_argument(context, "nvme-bench", 20'000, rounds_max);
    if (!rounds || !boot::has_interrupts(context, "nvme-bench")) {
        return boot::status::usage;
    }
    auto batch = memory::Box<Batch, memory::KernelHeap>::create(*context.kernel.heap);
    if (!batch) {
        context.out.line("nvme-bench: {}", batch.error());
        return boot::status::failure;
    }
    context.out.table(boot::operation_columns);
    for (Load const& load : loads) {
        if (auto const measured = measure(context, *batch.value(), load, *rounds); !measured) {
            context.out.line("nvme-bench: {}", measured.error());
            return boot::status::failure;
        }
    }
    return boot::status::success;
}

constexpr boot::Command commands[] = {
    {"nvme-bench",
     "measures the NVMe driver against a controller in memory",
     measure_nvme,
     {{"ROUNDS", "batches of each kind", boot::ArgumentKind::number,
       boot::ArgumentCount::optional}},
     {}},
};

} // namespace

std::span<boot::Command const> block_bench_commands() {
    return commands;
}

} // namespace twofold::bench
