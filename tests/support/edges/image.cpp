// The image `test` with the command that raises an interrupt at every edge.
#include "apps/commands/selected.hpp"
#include "apps/drivers/selected.hpp"
#include "apps/scenarios/scenarios.hpp"
#include "core/boot/boot.hpp"
#include "tests/support/runner.hpp"

namespace twofold::boot {

Composition composition() {
    return {
        .image = "edges",
        .steps = basic_steps(),
        .commands =
            {basic_commands(), measuring_commands(), thread_commands(), scenario_commands(),
             test::commands(), test::edge_commands(), selected_commands(), driver_commands()},
        .scenarios = scenarios::all(),
        .open_threads = open_threads,
        .drivers = selected_drivers()};
}

} // namespace twofold::boot
