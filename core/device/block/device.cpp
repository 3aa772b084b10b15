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
    bool is_aligned_so = true;
    for (usize i = 0; i < segments.size(); ++i) {
        u64 const begin = segments[i].address.value;
        u64 const end = begin + segments[i].bytes;
        bool const begins_well = i == 0 || is_aligned(begin, u64{geometry.segment_boundary});
        bool const ends_well =
            i + 1 == segments.size() || is_aligned(end, u64{geometry.segment_boundary});
        is_aligned_so = is_aligned_so && segments[i].bytes != 0 && end > begin && begins_well &&
                        ends_well && is_aligned(begin, u64{geometry.segment_alignment}) &&
                        is_aligned(end, u64{geometry.segment_alignment});
        bytes += segments[i].bytes;
    }
    bool const fits = bytes == u64{request.count} * geometry.sector_bytes;
    return is_aligned_so && fits ? Result<void>() : Error::invalid_argument;
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
