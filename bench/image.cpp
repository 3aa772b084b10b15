// The image `bench`: the full image and the commands that measure threads, allocators and drivers.
#include "apps/scenarios/scenarios.hpp"
#include "bench/block/commands/commands.hpp"
#include "bench/memory/commands/commands.hpp"
#include "bench/sched/commands/commands.hpp"

namespace twofold::boot {

Composition composition() {
    return {
        .image = "bench",
        .steps = basic_steps(),
        .commands =
            {basic_commands(), measuring_commands(), thread_commands(), scenario_commands(),
             bench::thread_bench_commands(), bench::memory_bench_commands(),
             bench::block_bench_commands()},
        .scenarios = scenarios::all(),
        .open_threads = open_threads};
}

} // namespace twofold::boot
