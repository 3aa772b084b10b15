// See input_pump.hpp.
#include "apps/host/input_pump.hpp"

#include "apps/host/terminal.hpp"
#include "apps/launch/status.hpp"

#include <csignal>
#include <iterator>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace twofold::host {

InputPump::InputPump(HostConsole& console, hosted::Machine& machine)
    : m_console(console),
      m_machine(machine),
      m_stopper(machine),
      m_end_descriptor(eventfd(0, EFD_CLOEXEC)) {
    if (m_end_descriptor < 0) {
        throw launch::Failure(
            launch::Status::io, "cannot watch standard input: no event to be had");
    }
    // Signals are for processors; a thread is born with its maker's mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    m_thread = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

InputPump::~InputPump() {
    m_console.end_questions();
    u64 const one = 1;
    [[maybe_unused]] auto const written = write(m_end_descriptor, &one, sizeof(one));
    m_thread.join();
    close(m_end_descriptor);
}

/// Whether it is to end, now or within that time.
bool InputPump::is_to_end(int wait_ms) const {
    pollfd polled{m_end_descriptor, POLLIN, 0};
    return poll(&polled, 1, wait_ms) > 0;
}

void InputPump::run() {
    constexpr int ask_again_ms = 20;
    while (m_console.wait_for_question()) {
        while (m_console.quit() && !is_to_end(ask_again_ms)) {
            m_stopper.ask();
        }
        pollfd polled[] = {
            {STDIN_FILENO, POLLIN, 0},
            {terminal_resize_event(), POLLIN, 0}, // which becomes input, too
            {m_end_descriptor, POLLIN, 0}};
        bool const is_ready = poll(polled, std::size(polled), -1) > 0;
        if (is_ready && (polled[0].revents | polled[1].revents) != 0) {
            m_machine.note_input();
        }
    }
}

} // namespace twofold::host
