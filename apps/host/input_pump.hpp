// Tells a live machine when there is input on standard input: its kernel may be busy then, and
// wants to hear of it all the same (ctrl-C).
//
// Input is looked for only while the kernel waits for some, so what it does not want stays in the
// stream for others.
#pragma once

#include "apps/host/console.hpp"

#include <thread>

namespace twofold::host {

class InputPump {
public:
    /// Both outlive it. The machine is live. Throws Failure (74) if there is no thread to be had.
    InputPump(HostConsole& console, hosted::Machine& machine);
    InputPump(InputPump const&) = delete;
    InputPump& operator=(InputPump const&) = delete;
    ~InputPump();

private:
    void run();

    HostConsole& m_console;
    hosted::Machine& m_machine;
    int m_end_descriptor; ///< readable once it is to end
    std::thread m_thread;
};

} // namespace twofold::host
