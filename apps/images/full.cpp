// The image `full`: everything there is, the scenarios included.
#include "apps/commands/selected.hpp"
#include "apps/drivers/selected.hpp"
#include "apps/scenarios/scenarios.hpp"
#include "apps/shell/kernel/commands.hpp"
#include "apps/shell/kernel/shell.hpp"
#include "core/boot/async.hpp"
#include "core/boot/boot.hpp"

namespace twofold::boot {

Composition composition() {
    return {
        .image = "full",
        .steps = basic_steps(),
        .commands =
            {basic_commands(), measuring_commands(), thread_commands(), async_commands(),
             device_commands(), scenario_commands(), shell::shell_commands(),
             shell::filter_commands(), selected_commands(), driver_commands()},
        .scenarios = scenarios::all(),
        .open_threads = open_threads,
        .lines = &shell::line_runner,
        .drivers = selected_drivers()};
}

} // namespace twofold::boot
