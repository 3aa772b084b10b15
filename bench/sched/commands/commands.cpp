// See commands.hpp.
#include "bench/sched/commands/commands.hpp"

namespace twofold::bench {

namespace {

constexpr boot::Argument optional_number(std::string_view name, std::string_view help) {
    return {name, help, boot::ArgumentKind::number, boot::ArgumentCount::optional};
}

} // namespace

std::span<boot::Command const> thread_bench_commands() {
    static constexpr boot::Command table[] = {
        {"hand-over-bench",
         "times what two threads do for each other",
         measure_hand_overs,
         {optional_number("ROUNDS", "how often")}},
        {"storm-bench",
         "times messages between 400 threads",
         measure_storm,
         {optional_number("MESSAGES", "how many each sends")}},
        {"join-bench",
         "times forking and joining, by a Fibonacci number",
         measure_joins,
         {optional_number("N", "which number")}},
        {"share-bench",
         "measures the shares of four threads that compute",
         measure_shares,
         {optional_number("MS", "how long")}},
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
