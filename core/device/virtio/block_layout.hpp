// What the driver of a virtio-blk device and the device agree on. Little-endian.
//
// Source: VIRTIO 1.2, section 5.2.
#pragma once

#include "core/device/virtio/layout.hpp"

namespace twofold::device::virtio::blk {

/// Sectors on the wire are of so many bytes, whatever the device's own are.
inline constexpr u32 wire_sector_bytes = 512;

namespace feature {

inline constexpr u64 size_max = u64{1} << 1, segments_max = u64{1} << 2, read_only = u64{1} << 5,
                     block_size = u64{1} << 6, flush = u64{1} << 9, topology = u64{1} << 10,
                     writable_cache = u64{1} << 11, several_queues = u64{1} << 12,
                     discard = u64{1} << 13, write_zeroes = u64{1} << 14;

} // namespace feature

/// Where what lies in the configuration.
namespace configuration {

inline constexpr Bytes capacity{0}, size_max{8}, segments_max{12}, block_size{20}, topology{24},
    writeback{32}, queues{32}, discard_sectors_max{36}, discard_segments_max{40},
    zeroes_sectors_max{48}, zeroes_segments_max{52};
/// In the word at `queues`: the cache's mode in the lowest byte, how many queues in the upper half.
inline constexpr u32 writeback_mask = 0xff;
inline constexpr u32 queues_shift = 16;

} // namespace configuration

enum class Kind : u32 {
    in = 0, ///< a read
    out = 1,
    flush = 4,
    get_id = 8,
    discard = 11,
    write_zeroes = 13,
};

struct Header {
    Kind kind{};
    u32 reserved = 0;
    u64 sector = 0;
};
static_assert(sizeof(Header) == 16);

/// What a discard and a write of zeros are about.
struct Range {
    u64 sector = 0;
    u32 sectors = 0;
    u32 flags = 0;
};
static_assert(sizeof(Range) == 16);

inline constexpr u8 status_ok = 0, status_failed = 1, status_unsupported = 2;
inline constexpr u32 id_bytes = 20;

} // namespace twofold::device::virtio::blk
