// What a replay executes: the events of a trace with objects turned into places of a table. Plain
// data, shared between the replayer and its worker processes by a mapped file.
#pragma once

#include "apps/allocation/trace_format.hpp"

#include <type_traits>

namespace twofold::allocation {

/// One step of a replay. `place` is the entry of the table of blocks that holds the object.
struct Operation {
    u64 size = 0; ///< requested bytes of an allocation, or the new size of a resize
    u32 place = 0;
    u16 thread = 0;
    EventKind kind = EventKind::allocate; ///< never thread
    u8 alignment_log2 = 0;

    constexpr bool operator==(Operation const&) const = default;
};
static_assert(sizeof(Operation) == 16 && std::is_trivially_copyable_v<Operation>);

} // namespace twofold::allocation
