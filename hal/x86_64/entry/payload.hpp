// The payload of a packed image: the kernel, compressed, behind the stub that unpacks it. Written
// by tools/pack on the host, read by the stub.
//
//     PayloadHeader | image, one LZ4 block | tail, one LZ4 block
//
// The image block unpacks to the first `image_stored` bytes of the image as it lies in memory from
// its base, every relocated word holding its addend. The tail unpacks to the symbol table
// (core/trace), then `relocation_count` u32, 4-aligned: the words to which the image's base is
// added, each by how far it lies behind the one before (the first: behind the base), which is
// mostly the same and so compresses well. All numbers are little-endian. The hash covers everything
// after itself.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace metal {

using namespace twofold;

namespace segment_flag {

inline constexpr u32 execute = 1; ///< the values of ELF's p_flags
inline constexpr u32 write = 2;
inline constexpr u32 read = 4;
/// Needs no zeros where the file holds nothing: a stack. An OS-specific bit of p_flags.
inline constexpr u32 uncleared = 0x0010'0000;

} // namespace segment_flag

/// A part of the image with permissions of its own. What lies between segments is not mapped.
struct PayloadSegment {
    u32 offset; ///< from the image's base, a multiple of 4096
    u32 size;   ///< in memory, a multiple of 4096
    u32 stored; ///< bytes that the block holds; the rest is zero
    u32 flags;
};

inline constexpr usize most_segments = 12;

struct PayloadHeader {
    char magic[8];
    u64 hash;
    u32 total_size; ///< of the payload, this header included
    u32 image_size; ///< of the image in memory, a multiple of 4096
    u32 image_stored;
    u32 image_packed;
    u32 tail_stored;
    u32 tail_packed;
    u32 symbols_size;
    u32 relocation_count;
    u32 entry;      ///< offset of the kernel's entry
    u32 stack_base; ///< offset and size of the stack that it starts on
    u32 stack_size;
    u32 segment_count;
    PayloadSegment segments[most_segments];
};
static_assert(sizeof(PayloadHeader) == 16 + 12 * 4 + most_segments * 16);

inline constexpr std::string_view payload_magic{"T2PACK\0\2", 8};
inline constexpr u32 largest_payload = 64 << 20;
inline constexpr u32 largest_image = 256 << 20;

/// A payload that has been verified.
struct Payload {
    PayloadHeader const* header;
    std::span<std::byte const> image; ///< packed
    std::span<std::byte const> tail;  ///< packed
};

/// Verifies the payload at the start of `bytes`, which may be longer: magic, hash, and every number
/// against the others. `bytes` is 8-aligned. Errors: truncated, not_supported (the magic),
/// corrupted. O(n).
Result<Payload> verify_payload(std::span<std::byte const> bytes);

/// The hash that the header at the start of `payload` should hold; `payload` is complete. O(n).
u64 payload_hash(std::span<std::byte const> payload);

} // namespace metal
