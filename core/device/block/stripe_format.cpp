// See stripe_format.hpp.
#include "core/device/block/stripe_format.hpp"

#include <bit>
#include <cstring>

namespace twofold::block::stripe_format {

namespace {

/// As it lies on the disk, little-endian.
struct Layout {
    u64 magic = 0;
    u32 version = 0;
    u32 checksum = 0; ///< of the whole block, with 0 here
    u64 place = 0;    ///< the byte of the device where the block lies
    u64 generation = 0;
    Id id{};
    u32 members = 0;
    u32 number = 0;
    u64 chunk_bytes = 0;
    u64 data_offset = 0;
    u64 data_bytes = 0;
    char name[32]{};
};
static_assert(std::endian::native == std::endian::little);
static_assert(offsetof(Layout, checksum) == 12 && offsetof(Layout, id) == 32);
static_assert(offsetof(Layout, members) == 48 && offsetof(Layout, chunk_bytes) == 56);
static_assert(offsetof(Layout, name) == 80 && sizeof(Layout) == 112);

u32 checksum_of(std::span<std::byte const> block) {
    constexpr std::byte zeros[4]{};
    constexpr usize place = offsetof(Layout, checksum);
    Crc32 sum;
    sum.update(block.first(place));
    sum.update(zeros);
    sum.update(block.subspan(place + sizeof(zeros)));
    return sum.value();
}

bool is_sane(Layout const& layout, u64 place, u64 device_bytes) {
    bool const has_members = layout.members >= members_min && layout.members <= members_max &&
                             layout.number < layout.members;
    bool const has_chunk = layout.chunk_bytes >= chunk_min && layout.chunk_bytes <= chunk_max &&
                           is_power_of_two(layout.chunk_bytes);
    return has_members && has_chunk && layout.place == place && layout.generation != 0 &&
           layout.data_offset == data_offset && layout.data_bytes != 0 &&
           device_bytes >= data_offset && layout.data_bytes <= device_bytes - data_offset &&
           is_aligned(layout.data_bytes, layout.chunk_bytes);
}

} // namespace

void write_member(Member const& member, u64 place, std::span<std::byte> out) {
    CHECK(out.size() == block_bytes);
    Layout layout{
        .magic = magic,
        .version = version,
        .place = place,
        .generation = member.generation,
        .id = member.id,
        .members = member.members,
        .number = member.number,
        .chunk_bytes = member.chunk_bytes,
        .data_offset = data_offset,
        .data_bytes = member.data_bytes};
    std::string_view const name = member.name;
    std::memcpy(layout.name, name.data(), name.size());
    std::memset(out.data(), 0, out.size());
    std::memcpy(out.data(), &layout, sizeof(layout));
    layout.checksum = checksum_of(out);
    std::memcpy(out.data(), &layout, sizeof(layout));
}

Result<Member> read_member(std::span<std::byte const> block, u64 place, u64 device_bytes) {
    if (block.size() != block_bytes) {
        return Error::not_found;
    }
    Layout layout;
    std::memcpy(&layout, block.data(), sizeof(layout));
    if (layout.magic != magic) {
        return Error::not_found;
    }
    if (layout.checksum != checksum_of(block)) {
        return Error::corrupted;
    }
    if (layout.version != version) {
        return Error::not_supported;
    }
    if (!is_sane(layout, place, device_bytes)) {
        return Error::corrupted;
    }
    Member member{
        .generation = layout.generation,
        .id = layout.id,
        .members = layout.members,
        .number = layout.number,
        .chunk_bytes = layout.chunk_bytes,
        .data_bytes = layout.data_bytes};
    for (char const letter : layout.name) {
        bool const is_plain = letter > ' ' && letter <= '~';
        if (letter == '\0') {
            break;
        }
        if (!is_plain) {
            return Error::corrupted;
        }
        TRY(member.name.append(letter));
    }
    return member.name.view().empty() ? Result<Member>(Error::corrupted) : Result<Member>(member);
}

} // namespace twofold::block::stripe_format
