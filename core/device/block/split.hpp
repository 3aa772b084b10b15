// Cutting a request into pieces that a device takes: not too many sectors, not too many segments,
// and no seam between two segments where the device allows none. Pure.
#pragma once

#include "core/device/block/device.hpp"

namespace twofold::block {

/// How far a request has been cut.
struct CutPlace {
    u32 sectors = 0; ///< that lie before it
    u32 segment = 0;
    u32 offset = 0; ///< in that segment
};

/// What is cut off.
struct Piece {
    u32 sectors = 0;
    u32 segments = 0;
};

/// Whether the device takes the request, which has data and was checked, as it is. O(segments).
bool fits(Request const& request, Geometry const& geometry);

/// The longest piece from `place` on that the device takes, in as many segments as `out` has room
/// for; `place` is behind it then. Errors: invalid_argument (a sector is made of segments that the
/// device takes in no way). O(segments of the piece).
Result<Piece>
cut(Request const& request, Geometry const& geometry, CutPlace& place, std::span<Segment> out);

/// How many pieces the whole request makes, in at most `segments_max` segments each. Errors: those
/// of `cut`. O(segments).
Result<u32> count_pieces(Request const& request, Geometry const& geometry, u32 segments_max);

} // namespace twofold::block
