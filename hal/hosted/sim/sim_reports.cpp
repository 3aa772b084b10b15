// What is said about a simulated machine: what its oracles find, and where its processors stand.
// See sim_engine.hpp.
#include "hal/hosted/report.hpp"
#include "hal/hosted/sim/sim_engine.hpp"

#include <fmt/format.h>

namespace hosted {

namespace {

/// No kernel keeps interrupts disabled for so long.
constexpr i64 untaken_ns_max = 100'000'000;

} // namespace

/// What is wrong behind a turn; empty: nothing.
std::string SimEngine::ask_oracles(u32 slot) {
    if (m_board.mmu().has_found_stale()) {
        return fmt::format(
            "processor {} goes by a translation whose flush another has not made",
            processor(slot).cpu().id);
    }
    SimRun::Slot& state = m.slots[slot];
    auto const pending = processor(slot).cpu().interrupts.next();
    if (!pending) {
        state.pending_since_ns = -1;
        return {};
    }
    if (state.pending_since_ns < 0) {
        state.pending_since_ns = state.now_ns;
    }
    if (state.now_ns - state.pending_since_ns < untaken_ns_max) {
        return {};
    }
    return fmt::format(
        "processor {} has taken no interrupt for {} ms, and {} is pending",
        processor(slot).cpu().id, untaken_ns_max / 1'000'000, pending->value);
}

/// Where the processors stand: the one on which the run has ended first.
void SimEngine::write_crash_report() {
    auto const add = [this](Processor const& each) {
        SignalTarget const& signals = each.signals();
        if (signals.report_size != 0) {
            m_crash_report += fmt::format("processor {}: ", signals.cpu.id);
            m_crash_report.append(signals.report, signals.report_size);
        }
    };
    add(processor(m_end->slot));
    for (auto const& each : m_board.processors()) {
        if (each->slot() != m_end->slot) {
            add(*each);
        }
    }
}

std::string SimEngine::where_all_stand() const {
    std::string text;
    Output const out{
        &text, [](void* to, std::string_view more) { *static_cast<std::string*>(to) += more; }};
    for (u32 slot = 0; slot < m.slots.size(); ++slot) {
        GuestCpu const& cpu = processor(slot).cpu();
        State const state = m.slots[slot].state;
        if (state == State::off || state == State::halted) {
            continue;
        }
        text += fmt::format(
            "processor {} {} at {} ns, interrupts {}:\n", cpu.id,
            state == State::sleeping ? "sleeps" : "can run", m.slots[slot].now_ns,
            cpu.interrupts_enabled ? "enabled" : "disabled");
        WordReader const read{&m_board.mmu(), cpu.root};
        if (auto const point = suspended_point(read, cpu.kernel_stack)) {
            write_backtrace(out, m_board.config().image, read, *point);
        }
    }
    return text;
}

} // namespace hosted
