// Cutting free memory into zones: walk it upward, cut it at every boundary, and join each piece to
// the zone before where that is allowed.
#include "core/memory/frames/zone_plan.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

constexpr FrameNumber gib4_end = (u64{4} << 30) / page_size.value;

ZoneReach reach_of(FrameNumber frame) {
    return frame < mebibyte_end ? ZoneReach::first_mebibyte
           : frame < gib4_end   ? ZoneReach::below_4_gib
                                : ZoneReach::any;
}

/// The node of `frame`, and where the next boundary of reach or node lies above it.
struct Stretch {
    u32 node = 0;
    FrameNumber end = MemoryMap::address_end / page_size.value;
};

Stretch stretch_at(FrameNumber frame, std::span<NodeRange const> nodes) {
    Stretch stretch;
    auto const boundary = [&](FrameNumber at) {
        if (at > frame) {
            stretch.end = std::min(stretch.end, at);
        }
    };
    boundary(mebibyte_end);
    boundary(gib4_end);
    for (NodeRange const& range : nodes) {
        // A frame belongs to the node that has its first byte.
        FrameNumber const first = frame_of(align_up(range.base, page_size));
        FrameNumber const end = frame_of(align_up(range.base + range.size, page_size));
        boundary(first);
        boundary(end);
        if (first <= frame && frame < end) {
            stretch.node = range.node;
        }
    }
    return stretch;
}

bool is_sound(hal::MemoryRange const& range) {
    u64 const start = range.base.value;
    return is_aligned(start, page_size.value) && is_aligned(range.size.value, page_size.value) &&
           start <= MemoryMap::address_end && range.size.value <= MemoryMap::address_end - start;
}

bool is_sound(NodeRange const& range) {
    u64 const start = range.base.value;
    return range.node < nodes_max && start <= MemoryMap::address_end &&
           range.size.value <= MemoryMap::address_end - start;
}

bool may_overlap(hal::MemoryRange const&, hal::MemoryRange const&) {
    return false;
}
bool may_overlap(NodeRange const& a, NodeRange const& b) {
    return a.node == b.node;
}

template<class Range>
bool are_sound(std::span<Range const> ranges) {
    for (usize i = 0; i < ranges.size(); ++i) {
        if (!is_sound(ranges[i])) {
            return false;
        }
        for (usize j = 0; j < i; ++j) {
            bool const overlap = ranges_overlap(
                ranges[i].base.value, ranges[i].size.value, ranges[j].base.value,
                ranges[j].size.value);
            if (overlap && !may_overlap(ranges[i], ranges[j])) {
                return false;
            }
        }
    }
    return true;
}

} // namespace

std::string_view reach_name(ZoneReach reach) {
    switch (reach) {
    case ZoneReach::first_mebibyte:
        return "below 1 MiB";
    case ZoneReach::below_4_gib:
        return "below 4 GiB";
    case ZoneReach::any:
        return "above 4 GiB";
    }
    return "unknown";
}

hal::MemoryRange const*
ZonePlans::next_range(std::span<hal::MemoryRange const> free, FrameNumber from) {
    hal::MemoryRange const* best = nullptr;
    for (hal::MemoryRange const& range : free) {
        bool const ahead = range.size.value != 0 && frame_of(range.base + range.size) > from;
        if (ahead && (best == nullptr || range.base < best->base)) {
            best = &range;
        }
    }
    return best;
}

Result<ZonePlans>
ZonePlans::create(std::span<hal::MemoryRange const> free, std::span<NodeRange const> nodes) {
    if (!are_sound(free) || !are_sound(nodes)) {
        return Error::invalid_argument;
    }
    ZonePlans plans;
    FrameNumber from = 1; // frame 0 is never handed out: address 0 means "none" in too many tables
    while (auto const* const range = next_range(free, from)) {
        FrameNumber const first = std::max(frame_of(range->base), from);
        Stretch const stretch = stretch_at(first, nodes);
        FrameNumber const end = std::min(frame_of(range->base + range->size), stretch.end);
        CHECK(first < end);
        plans.add(first, end, stretch.node);
        from = end;
    }
    return plans;
}

void ZonePlans::add(FrameNumber first, FrameNumber end, u32 node) {
    ZoneReach const reach = reach_of(first);
    if (!m_zones.empty()) {
        ZonePlan& last = m_zones.back();
        CHECK(last.end <= first);
        u64 const hole_max = std::max(hole_always, hole_ratio * last.frames);
        if (last.node == node && last.reach == reach && first - last.end <= hole_max) {
            last.end = end;
            last.frames += end - first;
            return;
        }
    }
    if (!m_zones.push_back({first, end, end - first, node, reach})) {
        m_left_out += end - first;
    }
}

} // namespace twofold::memory
