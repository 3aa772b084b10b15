// The exit statuses of every run, on every machine, and the failure that carries one to `main`.
//
// Programs that start a machine (`twofold-host`, `twofold-boot`) are ordinary C++ programs: what
// goes wrong in them is thrown as a Failure, and `main` prints its one line and returns its status.
#pragma once

#include "core/base/base.hpp"

#include <stdexcept>
#include <string>

namespace twofold::launch {

/// How a run ended. 0 to 63 belong to the guest: the status of its last command.
enum class Status : int {
    success = 0,
    guest_last = 63,  ///< the last status that a guest may choose
    usage = 64,       ///< an option, command or file makes no sense
    unavailable = 69, ///< something that is needed is missing
    panic = 70,       ///< the kernel met a broken invariant
    crash = 71,       ///< the machine died: triple fault, emulator ended, signal outside the kernel
    io = 74,          ///< a file or stream failed, for instance on a full disk
    timeout = 124,    ///< the time allowed has passed
    interrupted = 130 ///< ended from outside: SIGINT; 143 for SIGTERM
};

/// What went wrong, in one line that names it and says what to do, and the status that follows.
class Failure : public std::runtime_error {
public:
    Failure(Status status, std::string const& line) : std::runtime_error(line), m_status(status) {}

    Status status() const { return m_status; }

private:
    Status m_status;
};

} // namespace twofold::launch
