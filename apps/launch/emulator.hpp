// The emulator as a child process: started with its channels, and never left behind. It runs in a
// process group of its own, dies with the launcher even if that is killed, and is killed and reaped
// when its owner goes.
#pragma once

#include "apps/launch/descriptor.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace twofold::launch {

/// How a process ended: by exit(code), or by a signal.
struct ProcessEnd {
    bool by_signal = false;
    int number = 0; ///< the exit code, or the signal
};

class Emulator {
public:
    /// Starts `program`. Throws Failure (71) if the host refuses to.
    static Emulator
    start(std::filesystem::path const& program, std::vector<std::string> const& arguments);

    Emulator(Emulator&& other) noexcept;
    Emulator& operator=(Emulator&&) = delete;
    ~Emulator();

    /// The launcher's ends: non-blocking. The emulator's messages are read only.
    Descriptor serial;
    Descriptor results;
    Descriptor monitor;
    Descriptor messages;

    /// Waits for the end, which must be near or have been asked for. At most once.
    ProcessEnd wait();

    /// Ends the process group at once.
    void kill();

private:
    Emulator() = default;

    pid_t m_process = -1;
};

} // namespace twofold::launch
