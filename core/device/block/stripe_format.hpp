// What a member of a stripe begins with: the block that says which stripe it belongs to, and as
// what. Pure. The bytes are in docs/storage-format.md.
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <cstddef>
#include <span>

namespace twofold::block::stripe_format {

inline constexpr u64 magic = 0x4550'4952'5453'4632; ///< "2FSTRIPE"
inline constexpr u32 version = 1;
inline constexpr usize block_bytes = 4096;
inline constexpr u64 data_offset = u64{1} << 20; ///< where a member's data begin
inline constexpr u32 members_min = 2, members_max = 16;
inline constexpr u64 chunk_min = 4096, chunk_max = u64{1} << 24;

using Id = std::array<u8, 16>;

/// What one member says.
struct Member {
    u64 generation = 0; ///< how often the stripe was made anew under this id
    Id id{};
    u32 members = 0;
    u32 number = 0; ///< of this one, from 0
    u64 chunk_bytes = 0;
    u64 data_bytes = 0; ///< of each member, a multiple of the chunk
    FixedString<32> name{};
};

/// Writes the block that lies at byte `place` of the member. `out` is block_bytes long.
void write_member(Member const& member, u64 place, std::span<std::byte> out);

/// Reads the block that was found at byte `place` of a device of so many bytes. Errors: not_found
/// (no member), not_supported (another version), corrupted (the checksum or a number is wrong).
Result<Member> read_member(std::span<std::byte const> block, u64 place, u64 device_bytes);

} // namespace twofold::block::stripe_format
