// Performance counters that the host lends a thread (perf_event_open(2)). Where the host has none,
// or does not let this process have them, there is none here.
//
// Counted is what the thread does outside of the host's kernel: the kernel on the virtual CPU, and
// the little that the machine does for it.
#pragma once

#include "hal/counters_types.hpp"

#include <array>

namespace hosted {

using namespace twofold;

/// The counters of one virtual CPU. Used by its thread alone.
class HostCounters {
public:
    HostCounters() { m_files.fill(-1); }
    HostCounters(HostCounters const&) = delete;
    HostCounters& operator=(HostCounters const&) = delete;
    ~HostCounters() { stop_all(); }

    /// As hal/counters.hpp has them. Some system calls.
    static bool has(hal::CounterEvent event);
    Result<void> start(hal::CounterEvent event);
    Result<u64> read(hal::CounterEvent event) const;
    Result<void> stop(hal::CounterEvent event);
    void stop_all();

private:
    std::array<int, hal::counter_event_count> m_files;
};

} // namespace hosted
