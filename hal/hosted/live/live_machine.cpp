// Makes a live machine: a board, and the engine that runs it by threads and signals.
#include "hal/hosted/live/live_engine.hpp"
#include "hal/hosted/machine.hpp"

namespace hosted {

std::expected<std::unique_ptr<Machine>, std::string>
Machine::create(MachineConfig config, ConsoleEndpoint& console) {
    for (auto const& device : config.devices) {
        if (device->needs_simulation()) {
            return std::unexpected(
                "a live machine has no simulated devices, which live in virtual time; use the "
                "simulated machine");
        }
    }
    auto board = Board::create(std::move(config), console);
    if (!board) {
        return std::unexpected(board.error());
    }
    auto engine = LiveEngine::create(**board);
    if (!engine) {
        return std::unexpected(engine.error());
    }
    return create(std::move(*board), std::move(*engine));
}

} // namespace hosted
