// First fit over one list of free blocks in the order of their addresses, neighbours coalesced. The
// classic that the heap is measured against; its headers lie among the blocks.
//
// Source: D. Knuth, "The art of computer programming", volume 1, section 2.5, algorithms A and B.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/heap/raw.hpp"

#include <span>

namespace twofold::memory {

/// Blocks out of memory that the owner hands in. One context at a time; O(free blocks). Every block
/// is preceded by a header.
class ListHeap {
public:
    explicit ListHeap(std::span<std::byte> memory);
    ListHeap(ListHeap const&) = delete;
    ListHeap& operator=(ListHeap const&) = delete;

    Result<std::byte*> allocate(Bytes size, Bytes alignment);
    Result<void> free(std::byte* block);
    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment);
    Result<Bytes> usable_size(std::byte* block);
    AllocatorStatistics statistics() const;
    Result<void> verify();

private:
    static constexpr u64 unit = 16;
    static constexpr u64 none = ~u64{0};

    /// Lies before each block, free or not; places are offsets in `m_memory`. The seal ties it to
    /// its place, state and heap, so that other bytes are no header; one that goes loses it.
    struct Header {
        u64 size; ///< of the block behind it; a multiple of unit
        u64 next; ///< place of the next free header, or `none`; only while free
        u64 seal;
        u64 padding;
    };
    static_assert(sizeof(Header) % unit == 0);
    u64 live_seal(u64 place) const { return place ^ m_salt ^ 0x9E37'79B9'7F4A'7C15; }
    u64 free_seal(u64 place) const { return place ^ m_salt ^ 0xBF58'476D'1CE4'E5B9; }

    Result<u64> place_of(std::byte* block) const;
    Header read(u64 place) const;
    void write(u64 place, Header const& header);
    void set_next(u64 place, u64 next);
    /// How many bytes to skip in the free block at `place` so that a block begins aligned.
    Result<u64> skip_for(u64 place, u64 alignment) const;
    std::byte* take(u64 previous, u64 place, u64 skip, u64 wanted);

    void erase(u64 place) { write(place, {}); }

    std::span<std::byte> m_memory;
    u64 m_salt = 0;     ///< other than that of a heap that had this memory before
    u64 m_first = none; ///< the first free header
    AllocatorStatistics m_statistics;
};
static_assert(Allocator<ListHeap>);

} // namespace twofold::memory
