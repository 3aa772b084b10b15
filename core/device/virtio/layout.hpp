// What driver and device agree on, whatever the device is and however it is connected: status,
// features, and the three parts of a split virtqueue. Little-endian.
//
// Source: Virtual I/O Device (VIRTIO) Version 1.2, sections 2.1, 2.7 and 6.
#pragma once

#include "core/base/base.hpp"

#include <bit>

namespace twofold::device::virtio {

static_assert(std::endian::native == std::endian::little);

/// Bits of the device status.
namespace status {

inline constexpr u8 acknowledge = 1, driver = 2, driver_ok = 4, features_ok = 8, needs_reset = 64;

} // namespace status

/// Features that any device may offer.
namespace feature {

inline constexpr u64 version_1 = u64{1} << 32;       ///< the specification, not its drafts
inline constexpr u64 access_platform = u64{1} << 33; ///< it reaches memory as the platform says

} // namespace feature

/// Kinds of devices (section 5).
namespace device_kind {

inline constexpr u32 none = 0, block = 2, gpu = 16;

} // namespace device_kind

struct Descriptor {
    u64 address = 0; ///< as the device sees memory
    u32 bytes = 0;
    u16 flags = 0;
    u16 next = 0;
};
static_assert(sizeof(Descriptor) == 16 && alignof(Descriptor) == 8);

inline constexpr u16 descriptor_has_next = 1;
inline constexpr u16 descriptor_is_written = 2; ///< by the device

/// What the device has done with a chain of descriptors.
struct UsedElement {
    u32 head = 0;  ///< of the chain
    u32 bytes = 0; ///< that it has written
};
static_assert(sizeof(UsedElement) == 8);

/// Where the parts of a virtqueue of some number of entries lie in its memory.
struct QueueLayout {
    explicit constexpr QueueLayout(u16 entry_count) : entries(entry_count) {}

    constexpr Bytes descriptors() const { return {}; }
    constexpr Bytes descriptor(u16 index) const { return Bytes{index * sizeof(Descriptor)}; }
    /// Of the driver: flags, an index that runs on, a ring of heads.
    constexpr Bytes available() const { return descriptor(entries); }
    constexpr Bytes available_index() const { return available() + Bytes{2}; }
    constexpr Bytes available_head(u16 index) const {
        return available() + Bytes{4 + u64{index} % entries * sizeof(u16)};
    }
    /// Of the device: the same, with a ring of UsedElement.
    constexpr Bytes used() const {
        return align_up(available() + Bytes{6 + entries * sizeof(u16)}, Bytes{4});
    }
    constexpr Bytes used_index() const { return used() + Bytes{2}; }
    constexpr Bytes used_element(u16 index) const {
        return used() + Bytes{4 + u64{index} % entries * sizeof(UsedElement)};
    }
    constexpr Bytes size() const { return used() + Bytes{6 + entries * sizeof(UsedElement)}; }

    u16 entries; ///< a power of two
};

} // namespace twofold::device::virtio
