// See stopper.hpp. Signal handlers have no arguments: hence the state.
#include "apps/host/stopper.hpp"

#include <csignal>

namespace twofold::host {

namespace {

constexpr int stop_signal = SIGUSR1;

hosted::Machine* stopped = nullptr;
unsigned stoppers = 0;

void on_stop(int, siginfo_t* info, void* context) {
    if (stopped != nullptr) {
        stopped->request_stop(*info, *static_cast<ucontext_t*>(context));
    }
}

} // namespace

Stopper::Stopper(hosted::Machine& machine) : m_thread(pthread_self()) {
    stopped = &machine;
    ++stoppers;
    struct sigaction action{};
    action.sa_sigaction = on_stop;
    action.sa_flags =
        SA_SIGINFO | SA_ONSTACK; // never on a kernel's stack; no restart: waits must end
    sigfillset(&action.sa_mask);
    sigaction(stop_signal, &action, nullptr);
}

Stopper::~Stopper() {
    if (--stoppers == 0) {
        signal(stop_signal, SIG_IGN);
        stopped = nullptr;
    }
}

void Stopper::ask() const {
    pthread_kill(m_thread, stop_signal);
}

} // namespace twofold::host
