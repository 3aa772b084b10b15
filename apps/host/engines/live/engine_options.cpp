// Live machines: threads, signals and the host's clock.
#include "apps/host/engine_options.hpp"

namespace twofold::host {

struct EngineOptions::Values {};

EngineOptions::EngineOptions() = default;
EngineOptions::~EngineOptions() = default;

char const* EngineOptions::program_name() {
    return "twofold-host";
}

char const* EngineOptions::program_purpose() {
    return "Runs the kernel as a Linux process.";
}

void EngineOptions::add_to(Arguments&) {}

bool EngineOptions::hears_input_always() {
    return true;
}

std::expected<std::unique_ptr<hosted::Machine>, std::string>
EngineOptions::create(hosted::MachineConfig config, hosted::ConsoleEndpoint& console) const {
    return hosted::Machine::create(std::move(config), console);
}

std::string EngineOptions::summary() const {
    return {};
}

} // namespace twofold::host
