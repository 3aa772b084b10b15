// Ends a running machine from another thread: by a signal to the thread that runs it.
#pragma once

#include "hal/hosted/machine.hpp"

#include <pthread.h>

namespace twofold::host {

/// All of a process are of one machine. Made by the thread that runs the machine, which outlives
/// it.
class Stopper {
public:
    explicit Stopper(hosted::Machine& machine);
    Stopper(Stopper const&) = delete;
    Stopper& operator=(Stopper const&) = delete;
    ~Stopper();

    /// Machine::run answers `interrupted` soon, and a wait of the machine ends. To be asked again
    /// until it has: a signal that comes just before the thread waits wakes nobody. Any thread.
    void ask() const;

private:
    pthread_t m_thread;
};

} // namespace twofold::host
