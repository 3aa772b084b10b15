// The image `workloads`: a kernel that runs scenarios and workloads.
#include "apps/scenarios/scenarios.hpp"
#include "apps/workloads/commands.hpp"
#include "core/boot/async.hpp"
#include "core/boot/boot.hpp"

namespace twofold::boot {

Composition composition() {
    return {
        .image = "workloads",
        .steps = basic_steps(),
        .commands =
            {basic_commands(), thread_commands(), async_commands(), scenario_commands(),
             workloads::commands()},
        .scenarios = scenarios::all(),
        .open_threads = open_threads};
}

} // namespace twofold::boot
