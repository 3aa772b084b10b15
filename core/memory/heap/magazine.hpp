// Magazines: the stacks that blocks rest on. A magazine is 256 bytes at a multiple of 256 behind
// the range's base: a header and up to 63 granule numbers. It is named by that distance, and a
// place in it by the distance of the item, so that the low byte tells how many items lie below.
//
// Source: J. Bonwick and J. Adams, "Magazines and vmem", USENIX 2001, section 3.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/raw.hpp"

#include <span>

namespace twofold::memory::heap {

inline constexpr u32 magazine_bytes = 256;
inline constexpr u32 item_bytes = sizeof(u32);
/// How many blocks one magazine holds.
inline constexpr u32 magazine_items = magazine_bytes / item_bytes - 1;

/// A place in a magazine: behind the base by so many bytes lies the last item below it. 0, which is
/// the place in no magazine at all, looks like an empty one.
struct Place {
    u32 offset = 0;

    constexpr u32 items() const { return offset % magazine_bytes / item_bytes; }
    constexpr u32 magazine() const { return offset - offset % magazine_bytes; }
    static constexpr Place of(u32 magazine, u32 items) { return {magazine + items * item_bytes}; }
};

/// The word at `offset` behind `base`: an item, or at the beginning of a magazine its header. The
/// header is free for whoever owns the magazine.
[[gnu::always_inline]] inline u32& item_at(std::byte* base, u64 offset) {
    return object_at<u32>(base, offset);
}
/// `count` items from the one numbered `first` (from 0) on.
inline std::span<u32> items_at(std::byte* base, u32 magazine, u32 first, u32 count) {
    return table_at<u32>(base, magazine + (1 + first) * item_bytes, count);
}

} // namespace twofold::memory::heap
