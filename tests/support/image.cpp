// The image `test`: the full image and the tests that run inside a kernel.
#include "apps/commands/selected.hpp"
#include "apps/drivers/selected.hpp"
#include "apps/scenarios/scenarios.hpp"
#include "core/boot/async.hpp"
#include "core/boot/boot.hpp"
#include "tests/support/runner.hpp"

namespace twofold::boot {

Composition composition() {
    return {
        .image = "test",
        .steps = basic_steps(),
        .commands =
            {basic_commands(), measuring_commands(), thread_commands(), async_commands(),
             scenario_commands(), test::commands(), selected_commands(), driver_commands()},
        .scenarios = scenarios::all(),
        .open_threads = open_threads,
        .drivers = selected_drivers()};
}

} // namespace twofold::boot
