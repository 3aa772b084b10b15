// See machine.hpp.
#include "hal/hosted/machine.hpp"

#include <fmt/format.h>

namespace hosted {

namespace {

/// Why the snapshot cannot be put into the machine; empty: it can.
std::string why_it_differs(Snapshot const& snapshot, Board& board, Engine const& engine) {
    if (snapshot.window != board.config().window) {
        return fmt::format(
            "the snapshot is of a machine in window {}, this one is in window {}: addresses would "
            "differ",
            snapshot.window, board.config().window);
    }
    if (snapshot.memory.size != board.physical_memory().size()) {
        return fmt::format(
            "the snapshot is of a machine with {} bytes of memory, this one has {}",
            snapshot.memory.size, board.physical_memory().size());
    }
    if (snapshot.cpus.size() != board.processors().size()) {
        return fmt::format(
            "the snapshot is of a machine with {} processors, this one has {}",
            snapshot.cpus.size(), board.processors().size());
    }
    if (snapshot.devices.size() != board.devices().size()) {
        return fmt::format(
            "the snapshot is of a machine with {} devices, this one has {}",
            snapshot.devices.size(), board.devices().size());
    }
    if (!snapshot.pci.has_same_devices(board.pci())) {
        return "the snapshot is of a machine that has other devices";
    }
    if (snapshot.has_keyboard_controller != board.config().has_keyboard_controller) {
        return "the snapshot is of a machine that differs in whether it has a keyboard";
    }
    if (!engine.accepts(*snapshot.engine)) {
        return "the snapshot is of a machine that another engine makes run";
    }
    return std::string(engine.why_it_cannot_be_copied());
}

} // namespace

std::expected<std::unique_ptr<Machine>, std::string>
Machine::create(std::unique_ptr<Board> board, std::unique_ptr<Engine> engine) {
    std::unique_ptr<Machine> machine(new Machine(std::move(board), std::move(engine)));
    if (std::byte const fill = machine->m_board->config().memory_fill; fill != std::byte{}) {
        machine->m_board->physical_memory().clear(fill);
    }
    if (auto const started = machine->power_on(); !started) {
        return std::unexpected(started.error());
    }
    return machine;
}

Machine::~Machine() {
    m_engine->end_others();
    settle_devices();
    for (auto const& device : m_board->devices()) {
        if (device != nullptr) {
            device->connected({}); // nobody is told any more
        }
    }
}

/// Nothing outside the machine writes to its memory any more.
void Machine::settle_devices() const {
    for (auto const& device : m_board->devices()) {
        if (device != nullptr) {
            device->settle();
        }
    }
}

/// Brings the machine, whose memory is clear, to where its kernel can be entered.
std::expected<void, std::string> Machine::power_on() {
    m_at_rest = true;
    auto const started = m_board->power_on();
    m_engine->power_on();
    return started;
}

void Machine::reset() {
    m_engine->end_others();
    settle_devices();
    m_board->forget_translations();
    m_board->physical_memory().clear(m_board->config().memory_fill);
    auto const started = power_on();
    CHECK(started.has_value()); // it fitted the first time
}

void Machine::reset(std::string command_line, std::vector<std::shared_ptr<PciDevice>> devices) {
    m_board->reconfigure(std::move(command_line), std::move(devices));
    reset();
}

std::expected<u32, std::string> Machine::plug(std::shared_ptr<PciDevice> device) {
    if (device->needs_simulation() && !m_engine->is_simulated()) {
        return std::unexpected(
            "a live machine has no simulated devices, which live in virtual time");
    }
    return m_board->plug(std::move(device));
}

Stop Machine::run() {
    CHECK(m_at_rest);
    m_at_rest = false; // also if the console throws: then the kernel waits for an answer for ever
    Stop const stop = m_engine->run();
    m_at_rest = stop.kind == Stop::Kind::waiting_for_input || stop.kind == Stop::Kind::paused;
    return stop;
}

std::expected<Snapshot, std::string> Machine::snapshot() const {
    CHECK(m_at_rest);
    if (auto const why = m_engine->why_it_cannot_be_copied(); !why.empty()) {
        return std::unexpected(std::string(why));
    }
    Board& board = *m_board;
    settle_devices();
    I8042 const keyboard = board.copy_i8042();
    auto const held = board.hold_devices(); // others may come and go
    Snapshot out{
        .window = board.config().window,
        .memory = board.physical_memory().copy(),
        .machine = board.guest(),
        .cpus = {},
        .engine = m_engine->copy_state(),
        .pci = board.pci(),
        .lines = board.lines(),
        .has_keyboard_controller = board.config().has_keyboard_controller,
        .i8042 = keyboard,
        .devices = {}};
    for (auto const& processor : board.processors()) {
        out.cpus.push_back(processor->cpu());
    }
    for (auto const& device : board.devices()) {
        out.devices.push_back(device != nullptr ? device->save() : std::vector<std::byte>());
    }
    return out;
}

std::expected<void, std::string> Machine::restore(Snapshot const& snapshot) {
    Board& board = *m_board;
    std::unique_lock held = board.hold_devices();
    if (auto const why = why_it_differs(snapshot, board, *m_engine); !why.empty()) {
        return std::unexpected(why);
    }
    for (usize i = 0; i < snapshot.devices.size(); ++i) {
        if (board.devices()[i] != nullptr) {
            board.devices()[i]->load(snapshot.devices[i]);
        }
    }
    board.forget_translations();
    board.physical_memory().assign(snapshot.memory);
    board.guest() = snapshot.machine;
    board.restore_processors(snapshot.cpus);
    board.pci() = snapshot.pci;
    board.lines() = snapshot.lines;
    held.unlock();
    board.assign_i8042(snapshot.i8042);
    m_engine->assign_state(*snapshot.engine);
    m_at_rest = true;
    return {};
}

} // namespace hosted
