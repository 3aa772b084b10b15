// Runs a workload: its operations on threads of the kernel, spread over the processors.
#pragma once

#include "apps/workloads/workload.hpp"

namespace twofold::workloads {

/// How a run ended.
struct Ending {
    std::optional<Error> refusal;       ///< it could not be begun
    FixedString<Run::text_max> failure; ///< empty: there was none
    u32 operations = 0;                 ///< that were done
};

/// Runs `workload` on `threads` threads, operation i on thread i % threads, each in increasing
/// order; of `machines` machines, on machine i % machines, and there on thread i / machines %
/// threads. Tells the simulation of begin, operations and end (core/base/probe.hpp). A run whose
/// threads do not end in time has failed, and is left where it is. Context thread. O(operations).
Ending run(boot::Kernel& kernel, Workload const& workload, Options const& options);

} // namespace twofold::workloads
