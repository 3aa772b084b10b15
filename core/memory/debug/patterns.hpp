// The bytes that the debugging layer writes where nothing else may: each tells what it stands for,
// and as an address none of them is canonical, so that following it faults.
//
// Source: the values are those of the Linux kernel (include/linux/poison.h), so that they are
// recognised.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/raw.hpp"

#include <cstring>

namespace twofold::memory::debug {

inline constexpr std::byte fresh_pattern{0x5a}; ///< handed out, and never written to
inline constexpr std::byte freed_pattern{0x6b}; ///< given back
inline constexpr std::byte red_pattern{0xbb};   ///< around a block

/// `size` bytes that belong together.
struct Zone {
    std::byte* start;
    u64 size;

    /// Fills the zone. It becomes accessible.
    void fill(std::byte pattern) const {
        unpoison(start, size);
        std::memset(start, static_cast<int>(pattern), size);
    }
    /// From now on nobody may touch the zone.
    void close() const { poison(start, size); }

    /// The first byte that is not `pattern`, null if all are. The zone was closed, and is again.
    /// O(size).
    std::byte* first_other(std::byte pattern) const {
        unpoison(start, size);
        std::byte* found = nullptr;
        for (u64 i = 0; i < size && found == nullptr; ++i) {
            std::byte* const at = heap::byte_at(start, i);
            found = *at == pattern ? nullptr : at;
        }
        close();
        return found;
    }
};

} // namespace twofold::memory::debug
