// See simulation.hpp.
#include "sim/run/simulation.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>

namespace twofold::sim {

namespace {

using hosted::Stop;

/// Of what the kernel has printed, in a report.
constexpr usize tail_bytes = 4'000;

std::string_view first_line(std::string_view text) {
    return text.substr(0, text.find('\n'));
}

} // namespace

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
            end(stop);
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

void Simulation::end(Stop stop) {
    switch (stop.kind) {
    case Stop::Kind::exited:
        judge_exit(stop.status);
        break;
    case Stop::Kind::waiting_for_input:
        fail(FailureKind::deadlock, "every processor sleeps, and nothing will wake one");
        break;
    case Stop::Kind::stalled:
        fail(
            FailureKind::stall, fmt::format(
                                    "no operation was completed for a long time; {} were before",
                                    m_engine->operations().size()));
        break;
    case Stop::Kind::objected:
        fail(FailureKind::oracle, m_engine->complaint());
        break;
    default:
        fail(FailureKind::crash, std::string(first_line(m_machine->crash_report())));
        break;
    }
    if (std::string_view const objection = m_engine->objection(); !objection.empty()) {
        fail(FailureKind::schedule, std::string(objection));
    }
    if (u64 const stale = m_machine->stale_translations(); stale != 0 && !m_failure) {
        fail(FailureKind::oracle, "a processor went by a translation that it should have flushed");
    }
}

void Simulation::judge_exit(u8 status) {
    if (status == static_cast<u8>(launch::Status::panic)) {
        fail(FailureKind::panic, std::string(first_line(m_journal.panic.value_or("no text"))));
    } else if (status != 0) {
        fail(FailureKind::status, fmt::format("status {}: {}", status, last_line()));
    }
}

void Simulation::fail(FailureKind kind, std::string text) {
    std::string report;
    if (m_journal.panic) {
        report += *m_journal.panic + "\n";
    }
    report += m_machine->crash_report();
    if (kind != FailureKind::panic && kind != FailureKind::status) {
        report += m_engine->where_all_stand();
    }
    usize const from = m_output.size() - std::min(m_output.size(), tail_bytes);
    report += "the kernel printed last:\n" + m_output.substr(from);
    m_failure = CaseFailure{kind, std::move(text), std::move(report)};
}

/// What the kernel printed last.
std::string Simulation::last_line() const {
    usize const end = m_output.find_last_not_of('\n');
    if (end == std::string::npos) {
        return "nothing was printed";
    }
    usize const before = m_output.rfind('\n', end);
    usize const begin = before == std::string::npos ? 0 : before + 1;
    return m_output.substr(begin, end + 1 - begin);
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
