// Verifying a payload. See payload.hpp.
#include "hal/x86_64/entry/payload.hpp"
#include "hal/x86_64/entry/hash.hpp"

#include <cstddef>

namespace metal {

namespace {

bool segments_are_sound(PayloadHeader const& header) {
    u64 end = 0;
    bool entry_is_code = false;
    bool stack_is_data = false;
    for (PayloadSegment const& segment : std::span{header.segments}.first(header.segment_count)) {
        u64 const next = u64{segment.offset} + segment.size;
        bool const is_aligned = (segment.offset | segment.size) % 4096 == 0;
        bool const both = (segment.flags & segment_flag::write) != 0 &&
                          (segment.flags & segment_flag::execute) != 0;
        if (!is_aligned || segment.offset < end || segment.stored > segment.size ||
            next > header.image_size || both) {
            return false;
        }
        if (segment.stored != 0 && u64{segment.offset} + segment.stored > header.image_stored) {
            return false;
        }
        u64 const into = u64{header.entry} - segment.offset;
        entry_is_code |= (segment.flags & segment_flag::execute) != 0 && into < segment.size;
        stack_is_data |= (segment.flags & segment_flag::write) != 0 &&
                         header.stack_base >= segment.offset &&
                         u64{header.stack_base} + header.stack_size <= next;
        end = next;
    }
    return entry_is_code && stack_is_data;
}

bool is_sound(PayloadHeader const& header) {
    u64 const parts = u64{sizeof(PayloadHeader)} + header.image_packed + header.tail_packed;
    u64 const symbols = align_up(header.symbols_size, 4);
    return parts == header.total_size && header.image_size <= largest_image &&
           header.image_stored <= header.image_size && header.image_size % 4096 == 0 &&
           header.tail_stored <= largest_image &&
           symbols + u64{header.relocation_count} * 4 == header.tail_stored &&
           header.segment_count <= most_segments && header.stack_base % 16 == 0 &&
           header.stack_size % 16 == 0 && header.stack_size != 0;
}

} // namespace

u64 payload_hash(std::span<std::byte const> payload) {
    constexpr usize covered_from = offsetof(PayloadHeader, total_size);
    CHECK(payload.size() >= sizeof(PayloadHeader));
    return hash64(payload.subspan(covered_from));
}

Result<Payload> verify_payload(std::span<std::byte const> bytes) {
    if (bytes.size() < sizeof(PayloadHeader)) {
        return Error::truncated;
    }
    // Sound: trivially copyable, aligned by the caller, and the bytes are there.
    auto const* const header = reinterpret_cast<PayloadHeader const*>(bytes.data());
    if (std::string_view{header->magic, sizeof(header->magic)} != payload_magic) {
        return Error::not_supported;
    }
    u32 const total = header->total_size;
    if (total < sizeof(PayloadHeader) || total > largest_payload) {
        return Error::corrupted;
    }
    if (total > bytes.size()) {
        return Error::truncated;
    }
    if (payload_hash(bytes.first(total)) != header->hash || !is_sound(*header) ||
        !segments_are_sound(*header)) {
        return Error::corrupted;
    }
    std::span<std::byte const> const packed = bytes.first(total).subspan(sizeof(PayloadHeader));
    return Payload{
        header, packed.first(header->image_packed), packed.subspan(header->image_packed)};
}

} // namespace metal
