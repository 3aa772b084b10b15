// See device.hpp.
#include "core/device/block/device.hpp"

namespace twofold::block {

namespace {

Result<void> check_sectors(Request const& request, Geometry const& geometry) {
    if (request.count == 0) {
        return Error::invalid_argument;
    }
    bool const is_inside =
        request.sector < geometry.sectors && request.count <= geometry.sectors - request.sector;
    return is_inside ? Result<void>() : Error::out_of_range;
}

Result<void> check_segments(Request const& request, Geometry const& geometry) {
    auto const segments = request.segments;
    if (request.count > geometry.sectors_max || segments.empty() ||
        segments.size() > geometry.segments_max) {
        return Error::invalid_argument;
    }
    u64 bytes = 0;
    u64 edges = 0;  // all of them, one over the other
    u64 joints = 0; // those between two segments
    u64 end = 0;
    for (Segment const& segment : segments) {
        u64 const begin = segment.address.value;
        joints |= &segment == segments.data() ? 0 : begin | end;
        end = begin + segment.bytes;
        if (end <= begin) {
            return Error::invalid_argument; // it is empty, or goes around
        }
        edges |= begin | end;
        bytes += segment.bytes;
    }
    // All three are powers of two.
    bool const is_aligned = (edges & (geometry.segment_alignment - 1)) == 0 &&
                            (joints & (geometry.segment_boundary - 1)) == 0;
    bool const fits = bytes == u64{request.count} * geometry.sector_bytes;
    return is_aligned && fits ? Result<void>() : Error::invalid_argument;
}

} // namespace

Result<void> check(Request const& request, Geometry const& geometry) {
    CHECK(request.done != nullptr);
    bool const is_write =
        request.operation != Operation::read && request.operation != Operation::flush;
    if (is_write && geometry.is_read_only) {
        return Error::permission_denied;
    }
    switch (request.operation) {
    case Operation::read:
    case Operation::write:
        TRY(check_sectors(request, geometry));
        return check_segments(request, geometry);
    case Operation::flush:
        return request.count == 0 ? Result<void>() : Error::invalid_argument;
    case Operation::deallocate:
        return geometry.can_deallocate ? check_sectors(request, geometry) : Error::not_supported;
    case Operation::write_zeroes:
        return geometry.can_write_zeroes ? check_sectors(request, geometry) : Error::not_supported;
    }
    return Error::invalid_argument;
}

} // namespace twofold::block
