// See simulation.hpp.
#include "sim/run/simulation.hpp"

#include "sim/run/judgement.hpp"

namespace twofold::sim {

using hosted::Stop;

std::expected<std::unique_ptr<Simulation>, std::string>
Simulation::create(hosted::MachineConfig machine, hosted::SimConfig const& config) {
    std::unique_ptr<Simulation> simulation(new Simulation);
    auto made =
        hosted::create_simulated(std::move(machine), *simulation, config, &simulation->m_engine);
    if (!made) {
        return std::unexpected(made.error());
    }
    simulation->m_machine = std::move(*made);
    return simulation;
}

bool Simulation::run() {
    while (true) {
        Stop const stop = m_machine->run();
        switch (stop.kind) {
        case Stop::Kind::paused:
            return false;
        case Stop::Kind::power_cut:
            ++m_power_cuts;
            m_machine->reset();
            break;
        case Stop::Kind::reset:
            m_machine->reset();
            break;
        default:
            m_failure = judge(
                {.stop = stop,
                 .machine = *m_machine,
                 .engine = *m_engine,
                 .output = m_output,
                 .journal = m_journal});
            return true;
        }
    }
}

void Simulation::start_over(
    std::string command_line,
    std::vector<std::shared_ptr<hosted::PciDevice>> devices,
    hosted::SimConfig config) {
    m_engine->observe(nullptr);
    m_engine->configure(std::move(config));
    m_machine->reset(std::move(command_line), std::move(devices));
    m_output.clear();
    m_journal = {};
    m_decoder = {};
    m_failure.reset();
    m_power_cuts = 0;
}

Simulation::Copy Simulation::copy() const {
    auto machine = m_machine->snapshot();
    CHECK(machine.has_value()); // it has stopped at a limit
    return {std::move(*machine), m_output, m_journal, m_power_cuts};
}

void Simulation::assign(Copy const& copy) {
    auto const restored = m_machine->restore(copy.machine);
    CHECK(restored.has_value()); // it is of this machine
    m_output = copy.output;
    m_journal = copy.journal;
    m_power_cuts = copy.power_cuts;
    m_failure.reset();
}

void Simulation::write(std::string_view text) {
    m_output += text;
}

void Simulation::write_result(std::span<std::byte const> bytes) {
    auto const take = [this](launch::Record const& record) { m_journal.note(record); };
    m_decoder.feed(bytes, take);
    m_decoder.finish(take); // records come whole
}

} // namespace twofold::sim
