// The block map: one byte for each window of two granules says which block begins there.
//
//     bit 7       live: handed out; clear while the block rests in a cache
//     bit 4       whether it begins at the window's second granule: bit 4 of its address, too
//     6, 5, 3..0  granules less one for a small block (1 to 63), 0 for a large one
//
// A byte of 0 says that no block begins in the window. The byte, with bit 4 of the address that is
// freed taken away, is the block's *kind*: from `live` on and without bit 4 for a live block, and
// something else for a pointer that is no live block's beginning (interior, freed, never
// allocated). Caches are indexed by it, so that no free needs a check of its own. The bytes behind
// a large block's first hold its length in seven bits each, so none of them looks like a live
// block. Bytes are atomic, since blocks of several caches share a line.
//
// A medium block is entered as a large one. While it rests its second byte is `shelved` and the two
// behind hold its length in six bits each and bit 6. Elsewhere a byte with that value says that the
// byte behind is 0, unless both are the length of a live block.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/heap/geometry.hpp"

#include <span>

namespace twofold::memory::heap {

class BlockMap {
public:
    static constexpr u32 live = 0x80;
    static constexpr u32 large = 0;      ///< the code of a large block
    static constexpr u32 no_block = 256; ///< what is no code
    static constexpr u32 odd = granule_bytes;
    static constexpr u32 kinds = 256;

    /// The kind of a live block of `code`.
    static constexpr u32 kind_of(u32 code) { return live | (code & 0x0f) | (code & 0x30) << 1; }

    void set_windows(std::span<Atomic<u8>> windows) { m_windows = windows; }
    /// The windows, for the fast paths.
    std::span<Atomic<u8>> windows() const { return m_windows; }

    /// The code of the live block that begins at `granule`: 1 to 63 if it is small, `large` if it
    /// is large, `no_block` if there is none. The space has grown beyond `granule`.
    u32 live_code(u64 granule) const { return code_of(raw(granule) ^ odd_bit(granule) ^ live); }
    /// As above, of a small block that rests in a cache.
    u32 resting_code(u64 granule) const { return code_of(raw(granule) ^ odd_bit(granule)); }

    /// Whether a small block begins at `granule` that rests in a cache.
    bool is_resting(u64 granule) const { return resting_code(granule) - 1 < code_count - 1; }

    /// As above, of `code`.
    bool is_resting(u64 granule, u32 code) const {
        return raw(granule) == ((kind_of(code) & ~live) | odd_bit(granule));
    }

    void set_live(u64 granule, u32 code) { put(granule, kind_of(code) | odd_bit(granule)); }
    void set_resting(u64 granule, u32 code) {
        put(granule, (kind_of(code) & ~live) | odd_bit(granule));
    }
    void erase(u64 granule) { put(granule, 0); }

    /// Enters a live large block of `count` granules.
    void set_large(u64 granule, u64 count) {
        for (unsigned i = 0; i < length_bytes; ++i) {
            m_windows[granule / window_granules + 1 + i].store(
                static_cast<u8>(count >> (7 * i) & 0x7f), relaxed);
        }
        set_live(granule, large);
    }
    u64 large_granules(u64 granule) const {
        u64 count = 0;
        for (unsigned i = 0; i < length_bytes; ++i) {
            u64 const part = m_windows[granule / window_granules + 1 + i].load(relaxed);
            count |= part << (7 * i);
        }
        return count;
    }
    /// Whether the byte of `granule` is part of the length of a large block that begins before.
    bool is_length(u64 granule) const {
        u64 const window = granule / window_granules;
        for (u64 back = 1; back <= length_bytes && back <= window; ++back) {
            u32 const first = m_windows[window - back].load(relaxed);
            u64 const begin = (window - back) * window_granules + (first & odd) / odd;
            if ((first & ~odd) == live || (back <= 3 && is_resting_medium(begin))) {
                return true;
            }
        }
        return false;
    }

    /// Enters a medium block of `count` granules that rests in a cache.
    void set_resting_medium(u64 granule, u64 count) {
        u64 const window = granule / window_granules;
        m_windows[window].store(static_cast<u8>(odd_bit(granule)), relaxed);
        m_windows[window + 1].store(shelved, relaxed);
        m_windows[window + 2].store(static_cast<u8>(length_mark | (count & 0x3f)), relaxed);
        m_windows[window + 3].store(static_cast<u8>(length_mark | count >> 6), relaxed);
    }
    /// Whether a medium block rests at `granule`, if `granule` is not part of a length.
    bool is_resting_medium(u64 granule) const {
        u64 const window = granule / window_granules;
        return raw(granule) == odd_bit(granule) && window + length_bytes < m_windows.size() &&
               m_windows[window + 1].load(relaxed) == shelved && is_marked(window + 2) &&
               is_marked(window + 3);
    }
    u64 medium_granules(u64 granule) const {
        u64 const window = granule / window_granules;
        return (m_windows[window + 2].load(relaxed) & 0x3fu) |
               (m_windows[window + 3].load(relaxed) & 0x3fu) << 6;
    }
    void erase_large(u64 granule) {
        for (unsigned i = 0; i <= length_bytes; ++i) {
            m_windows[granule / window_granules + i].store(0, relaxed);
        }
    }

    /// Whether the windows that begin in (first, first + count) are empty, the length of a large
    /// block aside.
    bool is_blank(u64 first, u64 count) const {
        for (u64 window = first / window_granules + 1; window < (first + count) / window_granules;
             ++window) {
            if (m_windows[window].load(relaxed) != 0) {
                return false;
            }
        }
        return true;
    }

    static constexpr unsigned length_bytes = 5;

private:
    static constexpr u8 shelved = 0x7f;
    static constexpr u32 length_mark = 0x40;

    bool is_marked(u64 window) const {
        return (m_windows[window].load(relaxed) & (live | length_mark)) == length_mark;
    }
    static u32 odd_bit(u64 granule) { return static_cast<u32>(granule & 1) * odd; }
    static u32 code_of(u32 bits) {
        return (bits & (live | odd)) != 0 ? no_block : (bits & 0x0f) | (bits >> 1 & 0x30);
    }
    u32 raw(u64 granule) const { return m_windows[granule / window_granules].load(relaxed); }
    void put(u64 granule, u32 value) {
        m_windows[granule / window_granules].store(static_cast<u8>(value), relaxed);
    }

    std::span<Atomic<u8>> m_windows;
};

static_assert(small_granules_max / window_granules > BlockMap::length_bytes + 1);
static_assert(medium_granules_max >> 6 < 0x40);
static_assert(BlockMap::odd == 0x10); // bit 4 of an address and of a byte

} // namespace twofold::memory::heap
