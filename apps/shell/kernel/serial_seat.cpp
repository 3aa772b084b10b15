// See serial_seat.hpp.
#include "apps/shell/kernel/serial_seat.hpp"

#include "hal/clock.hpp"
#include "hal/console.hpp"

namespace twofold::shell {

SerialSeat::SerialSeat(boot::Kernel& kernel)
    : m_kernel(kernel), m_input(kernel.threads->waiting()) {}

/// From now on the console tells of input, if it can. What is there already is told at once.
void SerialSeat::listen() {
    m_listens = true;
    auto const vector = m_kernel.interrupts.bind_any(
        {.handler =
             [](void* self, hal::Interruption const&) {
                 static_cast<SerialSeat*>(self)->m_input.set();
                 return processor::Handling::handled;
             },
         .argument = this,
         .name = "console",
         .may_come_often = true});
    if (vector && hal::Console::raise_on_input(vector.value())) {
        m_vector = vector.value();
    } else if (vector) {
        m_kernel.interrupts.unbind(vector.value()).value(); // it was bound above
    }
}

SerialSeat::~SerialSeat() {
    if (m_vector) {
        hal::Console::raise_nothing();
        m_kernel.interrupts.unbind(*m_vector).value(); // it was bound by the constructor
    }
}

std::optional<char> SerialSeat::read() {
    while (m_is_stopped.load(acquire) == 0) {
        m_input.reset(); // before the look: what comes behind it sets it again
        hal::ConsoleInput const input = hal::Console::read();
        switch (input.status) {
        case hal::InputStatus::byte:
            return input.byte;
        case hal::InputStatus::end:
            return std::nullopt;
        case hal::InputStatus::none:
            wait();
            break;
        }
    }
    return std::nullopt;
}

void SerialSeat::wait() {
    if (m_is_stopped.load(acquire) != 0) {
        return; // `stop` came before the event was reset
    }
    if (!m_listens) {
        listen();
    }
    if (m_vector) {
        m_input.wait();
    } else {
        static_cast<void>(m_input.wait_until(hal::Clock::now() + poll_time));
    }
}

void SerialSeat::stop() {
    m_is_stopped.store(1, release);
    m_input.set();
}

void SerialSeat::write(std::string_view text) {
    hal::Console::write(text);
}

} // namespace twofold::shell
