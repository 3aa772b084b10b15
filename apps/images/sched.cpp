// The image `sched`: a kernel that runs workloads of the laboratory (docs/laboratory.md).
#include "apps/sched/kernel/commands.hpp"
#include "core/boot/boot.hpp"

namespace twofold::boot {

Composition composition() {
    return {
        .image = "sched",
        .steps = basic_steps(),
        .commands = {basic_commands(), thread_commands(), lab::commands()},
        .scenarios = {},
        .open_threads = open_threads};
}

} // namespace twofold::boot
