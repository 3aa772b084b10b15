// Forking and joining, by recursive Fibonacci numbers. The peer is oneTBB
// (bench/sched/tbb_peer.cpp).
#include "bench/sched/commands/commands.hpp"
#include "tests/support/fibonacci.hpp"

namespace twofold::bench {

namespace {

using task::ForkJoin;
using test::Fibonacci;

/// The number itself, and how many tasks are forked for it: one less than the next number.
struct Expected {
    u64 number = 0;
    u64 tasks = 0;
};
Expected expected(u32 n) {
    u64 number = 0;
    u64 next = 1;
    for (u32 i = 0; i < n; ++i) {
        number = std::exchange(next, number + next);
    }
    return {number, next - 1};
}

constexpr boot::Column join_columns[] = {
    {"processors", 12}, {"n", 6}, {"tasks", 12}, {"taken", 10}, {"mean ps", 0}};
constexpr u32 rounds = 5;

} // namespace

u8 measure_joins(boot::CommandContext& context) {
    auto const n = boot::number_argument(context, "join-bench", 24, 40);
    task::Threads* const threads = threads_of(context);
    if (!n || threads == nullptr) {
        return n ? boot::status::failure : boot::status::usage;
    }
    ForkJoin pool(*threads, *context.kernel.heap);
    pool.open().value();
    auto const [number, tasks] = expected(*n);
    bool is_right = true;
    auto const once = [&] {
        Fibonacci root(*n);
        pool.run(root);
        is_right = is_right && root.result == number;
    };
    once();
    u64 const took_ns = boot::time_of(rounds, once);
    u64 taken = 0;
    for (ForkJoin::Worker const& worker : pool.workers()) {
        taken += worker.counts().taken.load(relaxed);
    }
    context.out.table(join_columns);
    context.out.row(
        {pool.workers().size(), *n, tasks, taken, took_ns * 1000 / (rounds * (tasks + 1))});
    pool.close();
    if (!is_right) {
        context.out.line("join-bench: the number is wrong");
        return boot::status::failure;
    }
    return boot::status::success;
}

} // namespace twofold::bench
