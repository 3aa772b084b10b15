// What this room keeps for each processor. The HAL's per-CPU pointer leads to an object that begins
// with this one.
#pragma once

#include "core/processor/interrupt_table.hpp"
#include "core/sync/sync.hpp"

namespace twofold::processor {

/// How often a vector came to one processor.
struct VectorCounts {
    u64 taken = 0;
    u64 not_handled = 0; ///< of these, with nobody who knew of it
};

struct CpuLocal : sync::CpuState {
    CpuId id;
    InterruptTable const* interrupts = nullptr;
    VectorCounts counts[InterruptTable::vectors_max]; ///< written by this processor alone
};

} // namespace twofold::processor
