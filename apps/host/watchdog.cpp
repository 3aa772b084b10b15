// See watchdog.hpp.
#include "apps/host/watchdog.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <sys/time.h>

namespace twofold::host {

namespace {

constexpr suseconds_t again_us = 20'000;

// Signal handlers have no arguments: hence the state.
hosted::Machine* watched = nullptr;
std::sig_atomic_t volatile has_expired = 0;

void on_alarm(int, siginfo_t* info, void* context) {
    has_expired = 1;
    if (watched != nullptr) {
        watched->request_stop(*info, *static_cast<ucontext_t*>(context));
    }
}

void set_timer(itimerval const& timer) {
    if (setitimer(ITIMER_REAL, &timer, nullptr) != 0) {
        throw launch::Failure(
            launch::Status::io, fmt::format("cannot set a timer: {}", std::strerror(errno)));
    }
}

} // namespace

Watchdog::Watchdog(hosted::Machine& machine, double seconds) {
    watched = &machine;
    has_expired = 0;
    struct sigaction action{};
    action.sa_sigaction = on_alarm;
    action.sa_flags =
        SA_SIGINFO | SA_ONSTACK; // never on a kernel's stack; no restart: waits must end
    sigfillset(&action.sa_mask);
    sigaction(SIGALRM, &action, nullptr);
    double const whole = std::floor(seconds);
    auto const fraction_us = static_cast<suseconds_t>((seconds - whole) * 1e6);
    bool const nothing = whole == 0 && fraction_us == 0;
    set_timer({{0, again_us}, {static_cast<time_t>(whole), nothing ? 1 : fraction_us}});
}

Watchdog::~Watchdog() {
    itimerval const never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    watched = nullptr;
}

bool Watchdog::expired() {
    return has_expired != 0;
}

} // namespace twofold::host
