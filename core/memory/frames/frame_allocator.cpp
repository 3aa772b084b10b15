// Names and arithmetic of the allocators' interface.
#include "core/memory/frames/frame_allocator.hpp"

#include "hal/memory.hpp"

#include <algorithm>

namespace twofold::memory {

std::string_view misuse_name(FrameMisuse misuse) {
    constexpr std::string_view names[frame_misuse_count] = {
        "none",     "misaligned",  "bad order",  "foreign frame",
        "reserved", "double free", "wrong size", "inside a block"};
    auto const index = static_cast<usize>(misuse);
    return index < frame_misuse_count ? names[index] : "unknown";
}

Error misuse_error(FrameMisuse misuse) {
    switch (misuse) {
    case FrameMisuse::foreign:
    case FrameMisuse::reserved:
        return Error::out_of_range;
    case FrameMisuse::double_free:
        return Error::invalid_state;
    case FrameMisuse::none:
    case FrameMisuse::misaligned:
    case FrameMisuse::bad_order:
    case FrameMisuse::wrong_size:
    case FrameMisuse::inside_block:
        break;
    }
    CHECK(misuse != FrameMisuse::none);
    return Error::invalid_argument;
}

u64 FrameStatistics::fragmentation_ppm(unsigned order) const {
    u64 usable = order == 0 ? cached_frames : 0;
    for (unsigned k = order; k < order_count; ++k) {
        usable += free_blocks[k] << k;
    }
    CHECK(usable <= free_frames);
    constexpr u64 million = 1'000'000;
    return free_frames == 0 ? 0 : (free_frames - usable) * million / free_frames;
}

std::optional<unsigned> FrameStatistics::largest_order() const {
    for (unsigned k = order_count; k > 0; --k) {
        if (free_blocks[k - 1] != 0) {
            return k - 1;
        }
    }
    return cached_frames != 0 ? std::optional(0u) : std::nullopt;
}

void zero_frames(PhysAddr address, u64 pages) {
    std::span<std::byte> const content(hal::Memory::linear(address), pages * page_size.value);
    std::fill(content.begin(), content.end(), std::byte{0});
}

bool is_sensible(FrameRequest const& request) {
    constexpr u64 end = MemoryMap::address_end;
    bool const sized = request.pages > 0 && request.pages <= end / page_size.value;
    bool const aligned = is_power_of_two(request.alignment.value) &&
                         request.alignment >= page_size && request.alignment.value <= end;
    if (!sized || !aligned) {
        return false;
    }
    if (!request.at) {
        return true;
    }
    u64 const at = request.at->value;
    u64 const size = request.pages * page_size.value;
    return is_aligned(at, request.alignment.value) && at <= end - size &&
           at + size <= request.limit.value;
}

} // namespace twofold::memory
