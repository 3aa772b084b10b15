// Virtual time on a virtual CPU: what the engine has granted, and what the kernel's operations take
// from it. Included by the kernel's side in the simulator's kernel and by the engine.
//
// The engine lets a processor run until a moment; each point (an operation of the HAL, an access to
// an atomic) takes its cost from what is left. The first point that finds nothing left goes back to
// the engine (sim_reached), which lets another processor run, or the same one again. So a point
// costs three instructions where nothing is to be decided.
//
// Costs are counted in 256ths of a nanosecond: an edge of the control flow takes less than one.
#pragma once

#include "core/base/integers.hpp"

#include <bit>
#include <cstddef>

namespace hosted {

using namespace twofold;

/// What takes time. The costs of each are a table (costs.hpp).
enum class SimOperation : u8 {
    atomic_load,
    atomic_store,
    atomic_update,  ///< a read and a write in one
    interrupt_flag, ///< enabling or disabling interrupts
    pause,          ///< one turn of a spin
    clock,          ///< reading or setting it
    device,         ///< an access to a device's registers, or to configuration space
    message,        ///< an interrupt for another processor
    translation,    ///< flushing the TLB or changing its root
    console,        ///< handing over text or a record
    edge,           ///< of the control flow, where the build has them (guest/edges.cpp)
    copy,           ///< a call of memcpy and its like, there as well (guest/copies.cpp)
    copied_bytes,   ///< each 16 bytes of it
    count,
};

struct VirtualTime {
    static constexpr usize operations = static_cast<usize>(SimOperation::count);

    static constexpr u32 parts_of_ns = 256;

    i64 until_ns = 0;            ///< the engine has to look again then
    i64 left = 0;                ///< until then, in parts; below 0: overdrawn
    u32 costs[operations] = {};  ///< in parts
    bool spins_give_way = false; ///< a pause goes back to the engine at once

    /// A nanosecond that has begun counts as over: whoever did something is later than before.
    i64 now_ns() const { return until_ns - (left >> std::countr_zero(parts_of_ns)); }
    /// Grants the time from `now_ns` to `end_ns`, which are less than 2^54 apart, and what was left
    /// of the nanosecond that has begun: so it does not matter how often there is a new grant.
    void grant(i64 now_ns, i64 end_ns) {
        until_ns = end_ns;
        left = (end_ns - now_ns) * parts_of_ns + (left & (parts_of_ns - 1));
    }
    void pass(i64 nanoseconds) { left -= nanoseconds * parts_of_ns; }
};

/// Where it lies in the per-CPU block (cpu_block.hpp), to which GS points.
inline constexpr usize virtual_time_offset = 128;

/// Gives the processor back to the engine. Kernel code of the simulator only.
void sim_reached();
/// The same, and says that the processor waits for another.
void sim_spun();

} // namespace hosted
