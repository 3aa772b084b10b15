// One simulated machine from its start to its end, and what the end means.
#pragma once

#include "apps/launch/journal.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/sim/sim_engine.hpp"
#include "sim/case/case.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace twofold::sim {

/// A machine whose kernel has no input. What it prints is kept. Used by one thread at a time.
class Simulation final : public hosted::ConsoleEndpoint {
public:
    /// The error is one line.
    static std::expected<std::unique_ptr<Simulation>, std::string>
    create(hosted::MachineConfig machine, hosted::SimConfig const& config);

    /// Goes on to the end of the run (true), or to the engine's limit (false). Power that a fault
    /// cuts comes back by itself.
    bool run();
    /// Power on again, as another run of a kernel that is told something else, on `devices` that
    /// are new.
    void start_over(
        std::string command_line,
        std::vector<std::shared_ptr<hosted::PciDevice>> devices,
        hosted::SimConfig config);
    /// Why the run failed; none: it has passed, or has not ended.
    std::optional<CaseFailure> const& failure() const { return m_failure; }

    hosted::SimEngine& engine() { return *m_engine; }
    hosted::Machine& machine() { return *m_machine; }
    /// All that the kernel has printed.
    std::string const& output() const { return m_output; }
    u32 power_cuts() const { return m_power_cuts; }

    /// A copy of all, where `run` has stopped at a limit.
    struct Copy {
        hosted::Snapshot machine;
        std::string output;
        launch::Journal journal;
        u32 power_cuts = 0;
    };
    Copy copy() const;
    /// Becomes what it was.
    void assign(Copy const& copy);

    void write(std::string_view text) override;
    hal::ConsoleInput read() override { return {hal::InputStatus::end, '\0'}; }
    void write_result(std::span<std::byte const> bytes) override;

private:
    Simulation() = default;

    hosted::SimEngine* m_engine = nullptr;
    std::unique_ptr<hosted::Machine> m_machine;
    std::string m_output;
    launch::RecordDecoder m_decoder;
    launch::Journal m_journal;
    std::optional<CaseFailure> m_failure;
    u32 m_power_cuts = 0;
};

} // namespace twofold::sim
