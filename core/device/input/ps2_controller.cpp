// See ps2_controller.hpp.
#include "core/device/input/ps2_controller.hpp"

#include "core/sync/sync.hpp"
#include "hal/clock.hpp"

namespace twofold::device {

namespace {

constexpr Nanos take_limit{20'000'000};
constexpr i64 look_ns = 1'000;
constexpr u32 looks_under_lock = 200;
/// More than a controller and its devices can have kept.
constexpr u32 flushed_max = 256;

bool takes_input() {
    return (Ps2Controller::status() & ps2::status::input_full) == 0;
}

Result<void> write(u16 port, u8 byte) {
    Patience patience(take_limit);
    while (!takes_input()) {
        if (patience.is_over()) {
            return Error::timed_out;
        }
    }
    hal::Io::write_port_8(port, byte);
    return {};
}

bool try_write(u16 port, u8 byte) {
    for (u32 look = 0; look < looks_under_lock; ++look) {
        if (takes_input()) {
            hal::Io::write_port_8(port, byte);
            return true;
        }
    }
    return false;
}

} // namespace

Patience::Patience(Nanos limit) : m_looks_left(static_cast<u64>(limit.value / look_ns)) {
    Nanos const now = hal::Clock::now();
    m_has_clock = now != Nanos{};
    m_end = now + limit;
}

bool Patience::is_over() {
    constexpr u64 looks_at_least = 16; // whoever was kept from looking has not waited
    sync::relax();
    hal::Interrupt::poll();
    if (m_has_clock && m_looks_left > looks_at_least) {
        m_looks_left = looks_at_least;
    }
    if (m_looks_left > 0) {
        --m_looks_left;
        return false;
    }
    return !m_has_clock || hal::Clock::now() >= m_end;
}

Result<Ps2Controller::Received> Ps2Controller::receive(Nanos limit) {
    Patience patience(limit);
    while (true) {
        if (auto const received = look()) {
            return *received;
        }
        if (patience.is_over()) {
            return Error::timed_out;
        }
    }
}

Result<void> Ps2Controller::command(ps2::Command command) {
    return write(ps2::command_port, static_cast<u8>(command));
}

Result<void> Ps2Controller::command(ps2::Command command, u8 parameter) {
    TRY(write(ps2::command_port, static_cast<u8>(command)));
    return write(ps2::data_port, parameter);
}

Result<void> Ps2Controller::send(Port port, u8 byte) {
    if (port == Port::mouse) {
        return command(ps2::Command::write_mouse, byte);
    }
    return write(ps2::data_port, byte);
}

Result<u8> Ps2Controller::ask(ps2::Command command, Nanos limit) {
    TRY(Ps2Controller::command(command));
    return TRY(receive(limit)).byte;
}

void Ps2Controller::flush() {
    for (u32 count = 0; count < flushed_max && look(); ++count) {
    }
}

bool Ps2Controller::try_command(ps2::Command command, u8 parameter) {
    return try_write(ps2::command_port, static_cast<u8>(command)) &&
           try_write(ps2::data_port, parameter);
}

bool Ps2Controller::try_send(u8 byte) {
    return try_write(ps2::data_port, byte);
}

} // namespace twofold::device
