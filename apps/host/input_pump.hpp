// Tells a machine when there is input on standard input: its kernel may be busy then, and wants to
// hear of it all the same (ctrl-C). Ends it where a person has asked for that (ctrl-A x).
//
// Input is looked for only while the kernel waits for some, so what it does not want stays in the
// stream for others.
#pragma once

#include "apps/host/console.hpp"
#include "apps/host/stopper.hpp"

#include <thread>

namespace twofold::host {

class InputPump {
public:
    /// Made by the thread that runs the machine. Both outlive it. Throws Failure (74) if there is
    /// no thread to be had.
    InputPump(HostConsole& console, hosted::Machine& machine);
    InputPump(InputPump const&) = delete;
    InputPump& operator=(InputPump const&) = delete;
    ~InputPump();

private:
    void run();
    bool is_to_end(int wait_ms) const;

    HostConsole& m_console;
    hosted::Machine& m_machine;
    Stopper m_stopper;
    int m_end_descriptor; ///< readable once it is to end
    std::thread m_thread;
};

} // namespace twofold::host
