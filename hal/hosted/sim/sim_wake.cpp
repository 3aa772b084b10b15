// See sim_wake.hpp.
#include "hal/hosted/sim/sim_wake.hpp"

#include <iterator>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace hosted {

SimWake::SimWake() : m_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

SimWake::~SimWake() {
    if (m_event >= 0) {
        close(m_event);
    }
}

void SimWake::wake() const {
    eventfd_write(m_event, 1);
}

void SimWake::wait(int input_descriptor) const {
    pollfd polled[] = {{m_event, POLLIN, 0}, {input_descriptor, POLLIN, 0}};
    if (ppoll(polled, std::size(polled), nullptr, nullptr) > 0 && polled[0].revents != 0) {
        eventfd_t count = 0;
        eventfd_read(m_event, &count);
    }
}

} // namespace hosted
