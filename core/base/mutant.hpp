// Mutants: single operations that a build can flip on purpose, so that the tests themselves are
// tested. In every normal build `mutant` is a constant false and leaves no trace in the machine
// code; the preset `debug` links the variant that asks for the number chosen at start.
#pragma once

#include "core/base/integers.hpp"

namespace twofold {

/// The operations that can be flipped, one a room at least. The prefix names the room.
enum class Mutant : u16 {
    none,
    base_align_up,        ///< align_up rounds down
    trace_ring_order,     ///< the event ring yields the newest event first
    memory_map_overlap,   ///< overlapping ranges are not cut when the map is normalised
    frames_merge,         ///< a freed block is not joined with its buddy
    spaces_copy_on_write, ///< a write to a page that two spaces own changes it for both
    heap_double_free,     ///< a block that rests in a cache may be freed again
    pools_join,           ///< a free extent is not joined with the free one behind it
    acpi_checksum,        ///< a table's checksum is not verified
    interrupts_rebind,    ///< a vector that is bound may be bound again
    timers_order,         ///< equal deadlines leave in the order in which they did not come
    calls_order,          ///< calls run with the newest first
    schedule_preempts,    ///< who wakes never goes before who runs
    inversion_lending,    ///< who holds a mutex is lent nothing
    pci_decoding_off,     ///< base addresses are sized while the function decodes them
    boot_requires,        ///< the start-up graph forgets one requirement
};

} // namespace twofold

#include <mutant_choice.hpp> // core/base/mutants/none or selected, by include path
