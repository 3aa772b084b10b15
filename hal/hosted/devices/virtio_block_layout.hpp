// What is VIRTIO's of a block device: configuration and requests. Little-endian; plain data.
//
// Source: VIRTIO 1.2, section 5.2.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>

namespace hosted::blk {

using namespace twofold;

inline constexpr u16 device_type = 2;
inline constexpr u32 class_and_revision = 0x01000001; ///< mass storage, SCSI, as the field does it

inline constexpr u64 feature_segments_max = u64{1} << 2, feature_read_only = u64{1} << 5,
                     feature_block_size = u64{1} << 6, feature_flush = u64{1} << 9,
                     feature_several_queues = u64{1} << 12, feature_discard = u64{1} << 13,
                     feature_write_zeroes = u64{1} << 14;

inline constexpr u64 sector_bytes = 512;

struct Config {
    u64 capacity = 0; ///< sectors
    u32 segment_bytes_max = 0;
    u32 segments_max = 0;
    u32 geometry = 0;
    u32 block_bytes = 0;
    u64 topology = 0;
    u8 writeback = 0;
    u8 unused = 0;
    u16 queues = 0;
    u32 discard_sectors_max = 0;
    u32 discard_segments_max = 0;
    u32 discard_alignment = 0;
    u32 zeroes_sectors_max = 0;
    u32 zeroes_segments_max = 0;
    u8 zeroes_may_unmap = 0;
    u8 padding[3] = {};
};
static_assert(offsetof(Config, block_bytes) == 20 && offsetof(Config, writeback) == 32);
static_assert(offsetof(Config, discard_sectors_max) == 36);
static_assert(offsetof(Config, zeroes_sectors_max) == 48);
static_assert(sizeof(Config) == 64); // 61 of the specification

enum class Command : u32 {
    in = 0,
    out = 1,
    flush = 4,
    get_id = 8,
    discard = 11,
    write_zeroes = 13
};

struct Request {
    u32 command = 0;
    u32 reserved = 0;
    u64 sector = 0;
};
static_assert(sizeof(Request) == 16);

struct Range {
    u64 sector = 0;
    u32 sectors = 0;
    u32 flags = 0;
};
static_assert(sizeof(Range) == 16);

enum class Status : u8 { ok = 0, failed = 1, unsupported = 2 };

inline constexpr u64 id_bytes = 20;

} // namespace hosted::blk
