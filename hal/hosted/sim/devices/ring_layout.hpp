// The registers and rings that simulated devices share with their drivers, as
// docs/devices-simulated.md specifies them. Little-endian; plain data.
#pragma once

#include "core/base/base.hpp"

#include <bit>

namespace hosted::ring {

using namespace twofold;

static_assert(std::endian::native == std::endian::little);

/// Offsets of registers. A device's own begin at `own`.
inline constexpr u64 signature = 0x00, version = 0x04, control = 0x08, state = 0x0c,
                     submissions = 0x10, completions = 0x18, entries = 0x20, submitted = 0x24,
                     taken = 0x28, own = 0x40;
inline constexpr u32 version_now = 1;
inline constexpr u32 control_run = 1;
inline constexpr u32 state_stopped = 0, state_running = 1, state_failed = 2;
inline constexpr u32 entries_min = 2, entries_max = 256; ///< a power of two

struct Submission {
    u8 operation = 0;
    u8 reserved[3] = {};
    u32 token = 0; ///< comes back with the completion
    u64 target = 0;
    u32 count = 0;
    u32 reserved_too = 0;
    u64 buffer = 0; ///< physical address
};
static_assert(sizeof(Submission) == 32);

struct Completion {
    u32 token = 0;
    u16 status = 0;
    u16 phase = 0; ///< 1 in the first round of the ring, then 0, and so on
    u64 value = 0;
};
static_assert(sizeof(Completion) == 16);

inline constexpr u16 status_done = 0, status_invalid = 1, status_memory = 2;

} // namespace hosted::ring

namespace hosted::message {

using namespace twofold;

inline constexpr u16 device_id = 0x21;
inline constexpr u32 class_and_revision = 0x0280'0001; ///< network, other
inline constexpr u32 signature = 0x444d'4632;          ///< "2FMD"
inline constexpr u64 address = ring::own, frame_bytes_max = ring::own + 4,
                     dropped = ring::own + 8; ///< frames for which there was no room

enum class Operation : u8 { send = 1, receive = 2 };
inline constexpr u32 everybody = ~u32{0}; ///< as a destination
inline constexpr u32 frame_bytes = 4096;

} // namespace hosted::message
