// The hosted machine's performance counters: those that the host lends a thread, where it does.
#pragma once

#include "hal/counters_types.hpp"

namespace hal {

struct Counters {
    static bool has(CounterEvent event);
    static Result<void> start(CounterEvent event);
    static Result<u64> read(CounterEvent event);
    static Result<void> stop(CounterEvent event);
};

} // namespace hal
