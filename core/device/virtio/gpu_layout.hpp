// The commands of a virtio-gpu that draws in two dimensions, and what it answers. Little-endian.
//
// Source: VIRTIO 1.2, section 5.7.
#pragma once

#include "core/base/base.hpp"

#include <bit>

namespace twofold::device::virtio::gpu {

static_assert(std::endian::native == std::endian::little);

inline constexpr u16 control_queue = 0;

/// Of the configuration: what has happened, and what of it is done with.
inline constexpr Bytes events_read{0}, events_clear{4};
inline constexpr u32 display_event = 1;

enum class Kind : u32 {
    get_display_info = 0x0100,
    create_resource = 0x0101,
    forget_resource = 0x0102,
    set_scanout = 0x0103,
    flush = 0x0104,
    transfer_to_host = 0x0105,
    attach_backing = 0x0106,
    done = 0x1100,
    display_info = 0x1101,
    unspecified_error = 0x1200,
    out_of_memory = 0x1201,
};

inline constexpr u32 fence_flag = 1;
inline constexpr u32 b8g8r8x8 = 2; ///< in memory: as a word, 0x00RRGGBB
inline constexpr usize scanouts = 16;

/// Before every command and answer.
struct Header {
    Kind kind{};
    u32 flags = 0;
    u64 fence = 0; ///< comes back with the answer, when all of the command is done
    u32 context = 0;
    u32 ring = 0;
};
static_assert(sizeof(Header) == 24);

struct Box {
    u32 x = 0;
    u32 y = 0;
    u32 width = 0;
    u32 height = 0;
};
static_assert(sizeof(Box) == 16);

struct GetDisplayInfo {
    Header header;
};

struct DisplayInfo {
    struct Scanout {
        Box box;
        u32 enabled = 0;
        u32 flags = 0;
    };

    Header header;
    Scanout scanout[scanouts];
};
static_assert(sizeof(DisplayInfo) == 408);

struct CreateResource {
    Header header;
    u32 resource = 0;
    u32 format = 0;
    u32 width = 0;
    u32 height = 0;
};
static_assert(sizeof(CreateResource) == 40);

struct ForgetResource {
    Header header;
    u32 resource = 0;
    u32 padding = 0;
};
static_assert(sizeof(ForgetResource) == 32);

struct SetScanout {
    Header header;
    Box box;
    u32 scanout = 0;
    u32 resource = 0;
};
static_assert(sizeof(SetScanout) == 48);

struct Flush {
    Header header;
    Box box;
    u32 resource = 0;
    u32 padding = 0;
};
static_assert(sizeof(Flush) == 48);

struct TransferToHost {
    Header header;
    Box box;
    u64 offset = 0; ///< of the box's first pixel in the backing
    u32 resource = 0;
    u32 padding = 0;
};
static_assert(sizeof(TransferToHost) == 56);

/// Followed by `entries` of BackingEntry.
struct AttachBacking {
    Header header;
    u32 resource = 0;
    u32 entries = 0;
};
static_assert(sizeof(AttachBacking) == 32);

struct BackingEntry {
    u64 address = 0; ///< physical
    u32 bytes = 0;
    u32 padding = 0;
};
static_assert(sizeof(BackingEntry) == 16);

} // namespace twofold::device::virtio::gpu
