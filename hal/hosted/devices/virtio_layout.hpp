// The registers and queues that all devices of VIRTIO share on a PCI bus. Little-endian; plain
// data.
//
// Source: VIRTIO 1.2, sections 2.1 (status), 2.7 (split virtqueues), 4.1.4 (PCI capabilities), 6
// (reserved feature bits).
#pragma once

#include "core/base/base.hpp"

#include <bit>
#include <cstddef>

namespace hosted::virtio {

using namespace twofold;

static_assert(std::endian::native == std::endian::little);

inline constexpr u16 vendor = 0x1af4;
inline constexpr u16 first_device_id = 0x1040; ///< of PCI: and the device's type

inline constexpr u64 feature_version_1 = u64{1} << 32;

/// Bits of the device's status.
inline constexpr u8 acknowledge = 1, driver = 2, driver_ok = 4, features_ok = 8, needs_reset = 64,
                    failed = 128;
inline constexpr u16 no_vector = 0xffff;

/// What a vendor-specific capability leads to.
enum class Structure : u8 { common = 1, notify = 2, isr = 3, device = 4 };

/// The common configuration as it lies in memory.
struct Common {
    u32 device_feature_select = 0;
    u32 device_feature = 0;
    u32 driver_feature_select = 0;
    u32 driver_feature = 0;
    u16 config_vector = no_vector;
    u16 queues = 0;
    u8 status = 0;
    u8 config_generation = 0;
    u16 queue_select = 0;
    u16 queue_size = 0;
    u16 queue_vector = no_vector;
    u16 queue_enable = 0;
    u16 queue_notify_offset = 0;
    u64 descriptors = 0;
    u64 available = 0; ///< "driver area"
    u64 used = 0;      ///< "device area"
    u16 queue_notify_data = 0;
    u16 queue_reset = 0;
    u32 padding = 0;
};
static_assert(offsetof(Common, config_vector) == 16 && offsetof(Common, status) == 20);
static_assert(offsetof(Common, queue_select) == 22 && offsetof(Common, descriptors) == 32);
static_assert(sizeof(Common) == 64);

struct Descriptor {
    u64 address = 0;
    u32 bytes = 0;
    u16 flags = 0;
    u16 next = 0;
};
static_assert(sizeof(Descriptor) == 16);
inline constexpr u16 has_next = 1, is_writable = 2, is_indirect = 4;

/// The available ring begins with flags and the driver's index, entries of 2 bytes behind; the used
/// ring with flags and the device's index, entries of 8.
inline constexpr u64 index_offset = 2, ring_offset = 4;
inline constexpr u16 no_interrupt = 1; ///< flag of the available ring

struct UsedEntry {
    u32 head = 0;
    u32 bytes = 0;
};
static_assert(sizeof(UsedEntry) == 8);

} // namespace hosted::virtio
