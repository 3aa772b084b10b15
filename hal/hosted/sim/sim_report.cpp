// What is said about a simulated machine: what its oracles find, and where its processors stand,
// for people and debuggers. See sim_engine.hpp.
#include "hal/hosted/machine.hpp"
#include "hal/hosted/report.hpp"
#include "hal/hosted/sim/sim_engine.hpp"

#include <fmt/format.h>

namespace hosted {

namespace {

/// Of a stack, from where its context was saved: more than 100 calls.
constexpr u64 shown_stack_pages = 16;
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

std::vector<Standing> SimEngine::standings() const {
    std::vector<Standing> found;
    for (u32 slot = 0; slot < m.slots.size(); ++slot) {
        State const state = m.slots[slot].state;
        if (state == State::off || state == State::halted) {
            continue;
        }
        GuestCpu const& cpu = processor(slot).cpu();
        found.push_back(
            {.id = cpu.id,
             .sleeps = state == State::sleeping,
             .interrupts_enabled = cpu.interrupts_enabled,
             .now_ns = m.slots[slot].now_ns,
             .kernel_stack = cpu.kernel_stack,
             .root = cpu.root});
    }
    return found;
}

std::string SimEngine::where_all_stand() const {
    std::string text;
    Output const out{
        &text, [](void* to, std::string_view more) { *static_cast<std::string*>(to) += more; }};
    for (Standing const& each : standings()) {
        text += fmt::format(
            "processor {} {} at {} ns, interrupts {}:\n", each.id,
            each.sleeps ? "sleeps" : "can run", each.now_ns,
            each.interrupts_enabled ? "enabled" : "disabled");
        WordReader const read{&m_board.mmu(), each.root};
        if (auto const point = suspended_point(read, each.kernel_stack)) {
            write_backtrace(out, m_board.config().image, read, *point);
        }
    }
    return text;
}

void SimEngine::map_stacks() {
    for (auto const& each : m_board.processors()) {
        GuestCpu const& cpu = each->cpu();
        State const state = m.slots[each->slot()].state;
        if (state == State::off || state == State::halted) {
            continue;
        }
        u64 const first = align_down(cpu.kernel_stack, page_size.value);
        for (u64 page = 0; page < shown_stack_pages; ++page) {
            u64 const address = first + page * page_size.value;
            Walk walk{};
            bool const is_mapped =
                m_board.mmu().covers(address) &&
                m_board.mmu().fill(each->slot(), cpu.root, address, {false, false}, walk) ==
                    Mmu::Fill::filled;
            if (!is_mapped) {
                break; // beyond the stack
            }
        }
    }
}

} // namespace hosted
