// The end of the time that a run may take: a timer of the process that asks the machine to stop.
#pragma once

#include "hal/hosted/machine.hpp"

namespace twofold::host {

/// Watches `machine` as long as it lives. One at a time. It asks again and again once the time has
/// passed, since a signal may find the machine where it cannot be stopped.
class Watchdog {
public:
    Watchdog(hosted::Machine& machine, double seconds);
    Watchdog(Watchdog const&) = delete;
    Watchdog& operator=(Watchdog const&) = delete;
    ~Watchdog();

    /// Whether the time has passed.
    static bool expired();
};

} // namespace twofold::host
