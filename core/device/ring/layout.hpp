// The registers and rings of devices with a submission and a completion ring, as
// docs/devices-simulated.md specifies them. Little-endian.
#pragma once

#include "core/base/base.hpp"

#include <bit>

namespace twofold::device {

static_assert(std::endian::native == std::endian::little);

namespace ring_register {

inline constexpr Bytes signature{0x00}, version{0x04}, control{0x08}, state{0x0c},
    submissions{0x10}, completions{0x18}, entries{0x20}, submitted{0x24}, taken{0x28}, own{0x40};

} // namespace ring_register

inline constexpr u16 ring_vendor = 0x2f0d;
inline constexpr u32 ring_version = 1;
inline constexpr u32 ring_run = 1;           ///< in `control`
inline constexpr u32 ring_state_running = 1; ///< in `state`

struct RingSubmission {
    u8 operation = 0;
    u8 reserved[3] = {};
    u32 token = 0; ///< comes back with the completion
    u64 target = 0;
    u32 count = 0;
    u32 reserved_too = 0;
    u64 buffer = 0; ///< as the device sees memory
};
static_assert(sizeof(RingSubmission) == 32 && alignof(RingSubmission) == 8);

enum class RingStatus : u16 { done, invalid, memory };

struct RingCompletion {
    u32 token = 0;
    RingStatus status{};
    u16 phase = 0; ///< 1 in the first round of the ring, then 0, and so on
    u64 value = 0;
};
static_assert(sizeof(RingCompletion) == 16 && alignof(RingCompletion) == 8);

} // namespace twofold::device
