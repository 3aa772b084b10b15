// A one-shot timer of the host that signals one thread.
#pragma once

#include "core/base/base.hpp"

#include <ctime>
#include <sys/types.h>

namespace hosted {

using namespace twofold;

class HostTimer {
public:
    HostTimer() = default;
    HostTimer(HostTimer const&) = delete;
    HostTimer& operator=(HostTimer const&) = delete;
    ~HostTimer() { unbind(); }

    /// From now on it signals `thread` of this process with the interrupt signal. One that was set
    /// for another thread is withdrawn. False if the host has no timer left.
    bool bind(pid_t thread);
    void unbind();
    /// Fires once, `remaining_ns` from now, at least 1; replaces what was set. It is bound.
    /// Signal-safe, one system call.
    void set(i64 remaining_ns) const;

private:
    timer_t m_timer{};
    pid_t m_thread = 0; ///< 0: not bound
};

} // namespace hosted
