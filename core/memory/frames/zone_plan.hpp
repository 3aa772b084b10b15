// Which zones free memory is divided into. A zone is one interval of physical addresses with tables
// of its own: memory of one NUMA node and of one kind of reach.
//
// A zone ends where the node changes, at 1 MiB, at 4 GiB, and at a hole that would cost more table
// than the memory before it is worth. Pure.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/frames/frame_allocator.hpp"
#include "hal/boot.hpp"

namespace twofold::memory {

/// What can reach a zone's memory. Ordinary requests take the last kind first and the first kind
/// only when nothing else is left.
enum class ZoneReach : u8 {
    first_mebibyte, ///< processors that start up, and the oldest devices
    below_4_gib,    ///< devices with 32 address lines
    any,
};
std::string_view reach_name(ZoneReach reach);

struct ZonePlan {
    FrameNumber first;
    FrameNumber end;
    u64 frames; ///< that are memory, without the holes
    u32 node;
    ZoneReach reach;
};

/// Ascending and disjoint zones over ranges of free memory.
class ZonePlans {
public:
    static constexpr usize zones_max = 2 * nodes_max + 8;
    /// A hole of so many frames never ends a zone: 20 KiB of table.
    static constexpr u64 hole_always = 16384;
    /// A hole ends a zone if it is larger than so many times the memory before it in the zone.
    static constexpr u64 hole_ratio = 8;

    /// Plans for `free`, disjoint ranges of whole pages in any order, of which empty ones are
    /// passed over. Frames that no node claims belong to node 0. What does not fit into zones_max
    /// zones is left out and counted. Errors: invalid_argument, for overlapping or unaligned
    /// ranges, nodes that overlap one another, and node numbers from nodes_max on.
    /// O((ranges + nodes)^2).
    static Result<ZonePlans>
    create(std::span<hal::MemoryRange const> free, std::span<NodeRange const> nodes);

    std::span<ZonePlan const> zones() const { return m_zones.items(); }
    u64 frames_left_out() const { return m_left_out; }

    /// Calls visit(first, end) for the pieces of `free` that lie in `zone`, ascending. O(ranges^2).
    template<class Visitor>
    static void
    for_each_piece(std::span<hal::MemoryRange const> free, ZonePlan const& zone, Visitor&& visit) {
        FrameNumber from = zone.first;
        while (auto const next = next_range(free, from)) {
            FrameNumber const first = std::max(frame_of(next->base), from);
            FrameNumber const end = std::min(frame_of(next->base + next->size), zone.end);
            if (first >= zone.end) {
                return;
            }
            visit(first, end);
            from = end;
        }
    }

private:
    /// The range that holds `from`, or the first one behind it; null if there is none.
    static hal::MemoryRange const*
    next_range(std::span<hal::MemoryRange const> free, FrameNumber from);
    void add(FrameNumber first, FrameNumber end, u32 node);

    FixedVector<ZonePlan, zones_max> m_zones;
    u64 m_left_out = 0;
};

} // namespace twofold::memory
