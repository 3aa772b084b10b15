// See async.hpp.
#include "core/boot/async.hpp"

#include "core/boot/kernel.hpp"

#include <utility>

namespace twofold::boot {

namespace {

constexpr Column columns[] = {{"cpu", 4},    {"tasks", 8},    {"began", 10},  {"resumed", 12},
                              {"woken", 12}, {"batches", 10}, {"sleeps", 10}, {"rests", 0}};

u8 show_executors(CommandContext& context) {
    if (context.kernel.executors == nullptr) {
        context.out.line("no task has run yet");
        return status::success;
    }
    context.out.table(columns);
    context.kernel.executors->for_each([&](CpuId cpu, async::Executor const& executor) {
        async::ExecutorCounts const& counts = executor.counts();
        u64 const ended = counts.ended.load(relaxed); // first: it is never ahead
        u64 const started = counts.started.load(relaxed);
        context.out.row(
            {cpu.value, started - ended, started, counts.resumed.load(relaxed),
             counts.woken.load(relaxed), counts.batches.load(relaxed), counts.sleeps.load(relaxed),
             counts.rests.load(relaxed)});
    });
    return status::success;
}

constexpr Command async_table[] = {{"async", "shows the executors of tasks", show_executors}};

} // namespace

Result<async::Executors*> executors(Kernel& kernel) {
    if (kernel.executors == nullptr) {
        if (kernel.threads == nullptr) {
            return Error::not_supported;
        }
        auto* const room = TRY(memory::allocate_room<async::Executors>(*kernel.heap, 1));
        kernel.executors = std::construct_at(room, *kernel.threads, *kernel.heap);
        if (auto const outcome = kernel.executors->open(); !outcome) {
            close_executors(kernel);
            return outcome.error();
        }
    }
    return kernel.executors;
}

void close_executors(Kernel& kernel) {
    if (async::Executors* const ended = std::exchange(kernel.executors, nullptr)) {
        ended->close();
        std::destroy_at(ended);
        memory::free_room(*kernel.heap, ended);
    }
}

CommandTable async_commands() {
    return {"tasks", async_table};
}

} // namespace twofold::boot
