// The commands of a GPU of VIRTIO in two dimensions, as they lie in memory. Little-endian; plain
// data.
//
// Source: VIRTIO 1.2, section 5.7.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>

namespace hosted::gpu {

using namespace twofold;

inline constexpr u16 device_type = 16;
inline constexpr u32 class_and_revision = 0x0380'0001; ///< display, other
inline constexpr u32 control_queue = 0, cursor_queue = 1, queues = 2;
inline constexpr u32 scanouts_max = 16; ///< that the answer to get_display_info has room for

struct Config {
    u32 events_read = 0;
    u32 events_clear = 0;
    u32 scanouts = 0;
    u32 capability_sets = 0;
};
static_assert(sizeof(Config) == 16);
inline constexpr u32 event_display = 1;

enum class Command : u32 {
    get_display_info = 0x0100,
    resource_create_2d = 0x0101,
    resource_unref = 0x0102,
    set_scanout = 0x0103,
    resource_flush = 0x0104,
    transfer_to_host_2d = 0x0105,
    resource_attach_backing = 0x0106,
    resource_detach_backing = 0x0107,
    update_cursor = 0x0300,
    move_cursor = 0x0301,
};

enum class Answer : u32 {
    ok = 0x1100,
    ok_display_info = 0x1101,
    unspecified = 0x1200,
    out_of_memory = 0x1201,
    invalid_scanout = 0x1202,
    invalid_resource = 0x1203,
    invalid_parameter = 0x1205,
};

struct Header {
    u32 type = 0;
    u32 flags = 0;
    u64 fence = 0;
    u32 context = 0;
    u32 ring_index = 0; ///< one byte of it
};
static_assert(sizeof(Header) == 24);
inline constexpr u32 flag_fence = 1;

struct Rectangle {
    u32 x = 0;
    u32 y = 0;
    u32 width = 0;
    u32 height = 0;
};

struct DisplayInfo {
    struct Scanout {
        Rectangle area{};
        u32 enabled = 0;
        u32 flags = 0;
    };
    Header header{};
    Scanout scanouts[scanouts_max] = {};
};
static_assert(sizeof(DisplayInfo) == 408);

/// What follows the header of each command.
struct CreateResource {
    u32 resource = 0;
    u32 format = 0;
    u32 width = 0;
    u32 height = 0;
};
struct ResourceAlone {
    u32 resource = 0;
    u32 padding = 0;
};
struct SetScanout {
    Rectangle area{};
    u32 scanout = 0;
    u32 resource = 0; ///< 0: none, the scanout is off
};
struct Flush {
    Rectangle area{};
    u32 resource = 0;
    u32 padding = 0;
};
struct Transfer {
    Rectangle area{};
    u64 offset = 0; ///< into the backing
    u32 resource = 0;
    u32 padding = 0;
};
struct AttachBacking {
    u32 resource = 0;
    u32 entries = 0; ///< that follow
};
struct BackingEntry {
    u64 address = 0;
    u32 bytes = 0;
    u32 padding = 0;
};
static_assert(sizeof(SetScanout) == 24 && sizeof(Transfer) == 32 && sizeof(BackingEntry) == 16);

/// Where the bytes of red, green and blue lie in a pixel of four; nothing: no such format.
struct PixelFormat {
    u8 red = 0;
    u8 green = 0;
    u8 blue = 0;
};
constexpr bool find_format(u32 format, PixelFormat& found) {
    switch (format) {
    case 1: // B8G8R8A8
    case 2: // B8G8R8X8
        found = {2, 1, 0};
        return true;
    case 3: // A8R8G8B8
    case 4: // X8R8G8B8
        found = {1, 2, 3};
        return true;
    case 67:  // R8G8B8A8
    case 134: // R8G8B8X8
        found = {0, 1, 2};
        return true;
    case 68:  // X8B8G8R8
    case 121: // A8B8G8R8
        found = {3, 2, 1};
        return true;
    default:
        return false;
    }
}

} // namespace hosted::gpu
