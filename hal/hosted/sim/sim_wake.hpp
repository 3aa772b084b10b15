// How the program of a simulated machine waits while all processors rest: for input, or for what
// another thread has for a device.
#pragma once

namespace hosted {

class SimWake {
public:
    SimWake();
    SimWake(SimWake const&) = delete;
    SimWake& operator=(SimWake const&) = delete;
    ~SimWake();

    /// Has `wait` return: the one that waits, or the next. Any thread.
    void wake() const;
    /// Until there is input at the descriptor (-1: none), somebody wakes it or a signal handler has
    /// run.
    void wait(int input_descriptor) const;

private:
    int m_event; ///< -1: the host has none left, and only input wakes
};

} // namespace hosted
