// Finding room. See placement.hpp.
#include "hal/x86_64/entry/placement.hpp"

namespace metal {

namespace {

struct Gap {
    u64 base, end;
};

/// Cuts `taken` out of the search: if it begins inside [at, end), the search may use what lies
/// before.
void consider(PhysicalRange taken, u64 at, Gap& next) {
    u64 const end = taken.base.value + taken.size.value;
    if (taken.size.value != 0 && taken.base.value < next.base && end > at) {
        next = {taken.base.value, end};
    }
}

/// The first thing in the way at or above `at`; its base is `end` if there is none below `end`.
Gap first_obstacle(Discovered const& found, PhysicalRange own, u64 at, u64 end) {
    Gap next{end, end};
    consider(own, at, next);
    for (PhysicalRange const& taken : found.occupied.items()) {
        consider(taken, at, next);
    }
    for (hal::MemoryRange const& range : found.memory.items()) {
        if (range.kind != hal::MemoryKind::usable) {
            consider({range.base, range.size}, at, next);
        }
    }
    return next;
}

} // namespace

PhysicalRange
largest_free(Discovered const& found, PhysicalRange own, PhysAddr lowest, PhysAddr highest) {
    CHECK(lowest <= highest);
    PhysicalRange best{};
    for (hal::MemoryRange const& range : found.memory.items()) {
        if (range.kind != hal::MemoryKind::usable || range.base >= highest) {
            continue;
        }
        u64 const room = highest.value - range.base.value;
        u64 const end = range.base.value + (range.size.value < room ? range.size.value : room);
        u64 at = range.base < lowest ? lowest.value : range.base.value;
        while (at < end) {
            Gap const obstacle = first_obstacle(found, own, at, end);
            u64 const base = align_up(at, page_size.value);
            u64 const top = align_down(obstacle.base > at ? obstacle.base : at, page_size.value);
            if (top > base && top - base > best.size.value) {
                best = {{base}, {top - base}};
            }
            if (obstacle.end <= at) {
                break;
            }
            at = obstacle.end;
        }
    }
    return best;
}

} // namespace metal
