// Live machines.
#include "tests/support/test_machine.hpp"

namespace twofold::test {

std::expected<std::unique_ptr<hosted::Machine>, std::string>
make_machine(hosted::MachineConfig config, hosted::ConsoleEndpoint& console) {
    return hosted::Machine::create(std::move(config), console);
}

bool take_engine_option(std::string_view, std::string const&) {
    return false;
}

} // namespace twofold::test
