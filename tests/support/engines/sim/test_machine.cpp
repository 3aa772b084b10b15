// Simulated machines, of the seed that `--seed N` names.
#include "tests/support/test_machine.hpp"
#include "hal/hosted/sim/sim_engine.hpp"

#include <cstdlib>

namespace twofold::test {

namespace {

hosted::SimConfig config_of_all;

} // namespace

std::expected<std::unique_ptr<hosted::Machine>, std::string>
make_machine(hosted::MachineConfig config, hosted::ConsoleEndpoint& console) {
    return hosted::create_simulated(std::move(config), console, config_of_all);
}

bool take_engine_option(std::string_view name, std::string const& value) {
    if (name == "--seed") {
        config_of_all.seed = std::strtoull(value.c_str(), nullptr, 10);
    }
    return name == "--seed";
}

} // namespace twofold::test
