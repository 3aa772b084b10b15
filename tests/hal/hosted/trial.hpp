// A kernel on a simulated machine, for tests: what it says is kept, and it has no input.
#pragma once

#include "tests/hal/hosted/simulated_run.hpp"

#include <array>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace hosted::test {

/// Threads, messages and deadlines on all processors.
inline constexpr char const* busy_command = "scenario inversion; scenario calls; ps";

struct TrialSetting {
    u64 seed = 0;
    u32 cpus = 1;
    std::string_view costs = "xeon";
    unsigned window = 0;
    std::string command = "version";
};

class SimulatedTrial {
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
        auto made = hosted::create_simulated(std::move(config), m_console, sim, &m_engine);
        if (!made) {
            throw std::runtime_error(made.error());
        }
        m_machine = std::move(*made);
    }

    hosted::Stop run() { return m_machine->run(); }
    hosted::Machine& machine() { return *m_machine; }
    hosted::SimEngine& engine() { return *m_engine; }

    Trial seen;

private:
    Keeper m_console{seen};
    hosted::SimEngine* m_engine = nullptr;
    std::unique_ptr<hosted::Machine> m_machine;
};

} // namespace hosted::test
