// The allocation trace: what a recorder writes and a replayer reads. The bytes are specified in
// docs/allocation-trace-format.md; this header holds the numbers of that page and what an event
// means. Neighbours: trace_writer.hpp (encoder), trace_reader.hpp (decoder), schedule.hpp (what is
// replayed).
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <cstddef>

namespace twofold::allocation {

/// The first eight bytes. The last of them ends a text file where a person types it on a terminal.
inline constexpr std::array<u8, 8> trace_magic = {'T', '2', 'A', 'L', 'L', 'O', 'C', 0x1A};
inline constexpr u16 trace_version = 1;

inline constexpr usize header_bytes = 128;
inline constexpr usize header_crc_offset = 124;
inline constexpr usize command_bytes_max = 32768;
inline constexpr usize block_header_bytes = 12;
/// Events of one block before compression; no event straddles two blocks.
inline constexpr usize block_bytes_max = usize{256} << 10;
/// The longest event: the code, an alignment, and two numbers of ten bytes.
inline constexpr usize event_bytes_max = 22;
inline constexpr u32 thread_count_max = 65536;
inline constexpr u8 alignment_log2_max = 47;
/// Sizes that are believed: what a 47-bit address space can hold.
inline constexpr u64 size_max = u64{1} << 47;
static_assert(header_crc_offset + sizeof(u32) == header_bytes);
static_assert(event_bytes_max < block_bytes_max);

/// The low three bits of an event's code.
enum class EventKind : u8 {
    allocate = 0,         ///< malloc: 16-byte aligned, contents undefined
    allocate_zeroed = 1,  ///< calloc
    allocate_aligned = 2, ///< aligned_alloc and its like
    resize = 3,           ///< realloc of a live object: the object keeps its number
    release = 4,          ///< free
    thread = 5,           ///< the events that follow belong to another thread
};
inline constexpr usize event_kind_count = 6;

/// The high five bits of a code carry a small number; this one says that a varint follows.
inline constexpr u8 inline_escape = 31;
/// A size carried in the code counts units of eight bytes; 0 stands for the previous size.
inline constexpr u64 inline_size_unit_bytes = 8;

/// One event, decoded. Objects are numbered from 0 in the order of their allocation.
struct Event {
    EventKind kind = EventKind::allocate;
    u8 alignment_log2 = 0; ///< of allocate_aligned
    u32 thread = 0;        ///< numbered from 0 in the order of their first event
    u64 object = 0;
    u64 size = 0; ///< requested bytes: of an allocation, or the new size of a resize

    constexpr bool operator==(Event const&) const = default;
};

/// What the header says about the whole trace.
struct TraceCounts {
    u64 events = 0; ///< allocations, resizes and releases
    u64 allocations = 0;
    u64 releases = 0;
    u64 resizes = 0;
    u64 foreign = 0; ///< releases and resizes of blocks from before the recording: left out
    u64 failed = 0;  ///< requests that the recorded allocator refused: left out
    u64 live_objects_max = 0;
    u64 live_bytes_max = 0; ///< requested bytes
    u64 live_bytes_end = 0;
    u32 threads = 0;
    u32 blocks = 0;

    constexpr bool operator==(TraceCounts const&) const = default;
};

/// Where the header's numbers lie; see the page.
namespace header_offset {
inline constexpr usize version = 8, size = 10, flags = 12, events = 16, allocations = 24,
                       releases = 32, resizes = 40, foreign = 48, failed = 56,
                       live_objects_max = 64, live_bytes_max = 72, live_bytes_end = 80,
                       threads = 88, blocks = 92, process = 96, command_bytes = 100,
                       file_bytes = 104;
} // namespace header_offset

/// A flag of the header: the recorder reached the end of the program.
inline constexpr u32 flag_finished = 1;

/// Signed differences as small unsigned numbers: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4. O(1).
constexpr u64 zigzag(u64 difference) {
    return difference << 1 ^ (u64{0} - (difference >> 63));
}
constexpr u64 unzigzag(u64 number) {
    return number >> 1 ^ (u64{0} - (number & 1));
}
static_assert(zigzag(0) == 0 && zigzag(~u64{0}) == 1 && zigzag(1) == 2);
static_assert(unzigzag(zigzag(u64{0} - 77)) == u64{0} - 77);

} // namespace twofold::allocation
