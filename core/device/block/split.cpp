// See split.hpp.
#include "core/device/block/split.hpp"

#include <algorithm>
#include <bit>

namespace twofold::block {

namespace {

/// Whether one piece may hold both segments, the one behind the other.
bool may_meet(Segment const& first, PhysAddr second, Geometry const& geometry) {
    u64 const boundary = geometry.segment_boundary;
    return is_aligned(first.address.value + first.bytes, boundary) &&
           is_aligned(second.value, boundary);
}

/// Moves a place on by so many bytes, which lie in the request.
void move_on(Request const& request, CutPlace& place, u64 bytes) {
    while (bytes != 0) {
        u64 const here = request.segments[place.segment].bytes - place.offset;
        u64 const step = std::min(here, bytes);
        bytes -= step;
        place.offset += static_cast<u32>(step);
        if (step == here) {
            ++place.segment;
            place.offset = 0;
        }
    }
}

} // namespace

bool fits(Request const& request, Geometry const& geometry) {
    auto const segments = request.segments;
    if (request.count > geometry.sectors_max || segments.size() > geometry.segments_max) {
        return false;
    }
    for (usize i = 1; i < segments.size(); ++i) {
        if (!may_meet(segments[i - 1], segments[i].address, geometry)) {
            return false;
        }
    }
    return true;
}

Result<Piece>
cut(Request const& request, Geometry const& geometry, CutPlace& place, std::span<Segment> out) {
    u32 const shift = static_cast<u32>(std::countr_zero(geometry.sector_bytes));
    // A cut lies where a segment may begin, too.
    u64 const unit = std::max(geometry.sector_bytes, geometry.segment_alignment);
    u64 const left = u64{request.count - place.sectors} << shift;
    u64 const most = u64{geometry.sectors_max} << shift;
    u64 const wanted = left <= most ? left : align_down(most, unit);
    usize const segments_max = std::min<usize>(geometry.segments_max, out.size());
    u64 bytes = 0;
    u32 count = 0;
    CutPlace at = place;
    while (bytes < wanted && count < segments_max) {
        Segment const& segment = request.segments[at.segment];
        PhysAddr const begin = segment.address + Bytes{at.offset};
        if (count != 0 && !may_meet(out[count - 1], begin, geometry)) {
            break;
        }
        u64 const taken = std::min<u64>(segment.bytes - at.offset, wanted - bytes);
        out[count++] = {begin, static_cast<u32>(taken)};
        bytes += taken;
        move_on(request, at, taken);
    }
    u64 excess = bytes == left ? 0 : bytes & (unit - 1);
    bytes -= excess;
    while (excess != 0) {
        Segment& last = out[count - 1];
        u32 const step = static_cast<u32>(std::min<u64>(last.bytes, excess));
        last.bytes -= step;
        excess -= step;
        count -= last.bytes == 0 ? 1 : 0;
    }
    if (bytes == 0) {
        return Error::invalid_argument;
    }
    move_on(request, place, bytes);
    Piece const piece{static_cast<u32>(bytes >> shift), count};
    place.sectors += piece.sectors;
    return piece;
}

Result<u32> count_pieces(Request const& request, Geometry const& geometry, u32 segments_max) {
    constexpr usize room = 64;
    Segment scratch[room];
    auto const out = std::span(scratch).first(std::min<usize>(segments_max, room));
    u32 count = 0;
    for (CutPlace place; place.sectors < request.count; ++count) {
        TRY(cut(request, geometry, place, out));
    }
    return count;
}

} // namespace twofold::block
