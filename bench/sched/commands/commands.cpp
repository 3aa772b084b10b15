// See commands.hpp.
#include "bench/sched/commands/commands.hpp"

namespace twofold::bench {

std::span<boot::Command const> thread_bench_commands() {
    static constexpr boot::Command table[] = {
        {"hand-over-bench", "[ROUNDS]", "times what two threads do for each other", 1,
         measure_hand_overs},
        {"storm-bench", "[MESSAGES]", "times messages between 400 threads", 1, measure_storm},
        {"join-bench", "[N]", "times forking and joining, by a Fibonacci number", 1, measure_joins},
        {"share-bench", "[MS]", "measures the shares of four threads that compute", 1,
         measure_shares},
    };
    return table;
}

task::Threads* threads_of(boot::CommandContext& context) {
    if (context.kernel.threads == nullptr) {
        context.out.line("there are no threads: this machine has no interrupts or no clock");
    }
    return context.kernel.threads;
}

} // namespace twofold::bench
