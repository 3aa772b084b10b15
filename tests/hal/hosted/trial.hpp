// A kernel on a simulated machine, for tests: what it says is kept, and it has no input.
#pragma once

#include "hal/hosted/machine.hpp"
#include "hal/hosted/sim/sim_engine.hpp"

#include <array>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hosted_test {

using namespace twofold;

/// Threads, messages and deadlines on all processors.
inline constexpr char const* busy_command = "scenario inversion; scenario calls; ps";

struct TrialSetting {
    u64 seed = 0;
    u32 cpus = 1;
    std::string_view costs = "xeon";
    unsigned window = 0;
    std::string command = "version";
};

class SimulatedTrial final : public hosted::ConsoleEndpoint {
public:
    explicit SimulatedTrial(TrialSetting const& setting)
        : SimulatedTrial(
              setting,
              {.seed = setting.seed, .costs = hosted::find_cost_table(setting.costs).value()}) {}
    SimulatedTrial(TrialSetting const& setting, hosted::SimConfig const& sim) {
        hosted::MachineConfig config;
        config.cpus = setting.cpus;
        config.window = setting.window;
        config.command_line = "console=pipe command=\"" + setting.command + "\"";
        auto made = hosted::create_simulated(std::move(config), *this, sim, &m_engine);
        if (!made) {
            throw std::runtime_error(made.error());
        }
        m_machine = std::move(*made);
    }

    hosted::Stop run() { return m_machine->run(); }
    hosted::Machine& machine() { return *m_machine; }
    hosted::SimEngine& engine() { return *m_engine; }

    void write(std::string_view said) override { text += said; }
    hal::ConsoleInput read() override { return {hal::InputStatus::end, '\0'}; }
    void write_result(std::span<std::byte const> bytes) override {
        for (std::byte const byte : bytes) {
            records += static_cast<char>(byte);
        }
    }

    std::string text;
    std::string records;

private:
    hosted::SimEngine* m_engine = nullptr;
    std::unique_ptr<hosted::Machine> m_machine;
};

} // namespace hosted_test
