// See host_timer.hpp.
#include "hal/hosted/live/host_timer.hpp"

#include "hal/hosted/live/live_processor.hpp"

#include <csignal>

namespace hosted {

bool HostTimer::bind(pid_t thread) {
    CHECK(thread != 0);
    if (m_thread == thread) {
        return true;
    }
    unbind();
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = interrupt_signal;
    event._sigev_un._tid = thread; // its name in the C library is not to be had everywhere
    if (timer_create(CLOCK_MONOTONIC, &event, &m_timer) != 0) {
        return false;
    }
    m_thread = thread;
    return true;
}

void HostTimer::unbind() {
    if (m_thread != 0) {
        timer_delete(m_timer);
        m_thread = 0;
    }
}

void HostTimer::set(i64 remaining_ns) const {
    constexpr i64 second_ns = 1'000'000'000;
    CHECK(m_thread != 0 && remaining_ns >= 1);
    itimerspec const when{{0, 0}, {remaining_ns / second_ns, remaining_ns % second_ns}};
    int const failed = timer_settime(m_timer, 0, &when, nullptr);
    CHECK(failed == 0);
}

} // namespace hosted
