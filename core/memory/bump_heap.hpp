// The simplest allocator there is, for the time before frames: addresses only rise. A block goes
// back only while it is the last; what was freed before stays taken until everything is free.
// Baseline of the tests and benchmarks.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/heap/raw.hpp"

#include <cstring>
#include <span>

namespace twofold::memory {

/// Blocks out of memory that the owner hands in. One context at a time; O(1). Every block is
/// preceded by a header with its size.
class BumpHeap {
public:
    explicit BumpHeap(std::span<std::byte> memory);
    BumpHeap(BumpHeap const&) = delete;
    BumpHeap& operator=(BumpHeap const&) = delete;

    Result<std::byte*> allocate(Bytes size, Bytes alignment);
    Result<void> free(std::byte* block);
    Result<std::byte*> resize(std::byte* block, Bytes size, Bytes alignment);
    Result<Bytes> usable_size(std::byte* block);
    AllocatorStatistics statistics() const;
    Result<void> verify();

private:
    /// Lies before each block. The seal ties it to its place and heap, so that other bytes are no
    /// header; one that goes loses it.
    struct Header {
        u64 size;     ///< of the block, rounding included; the lowest bit says that it is free
        u64 previous; ///< where the header before this one lies, or `none`
        u64 seal;
    };
    static constexpr u64 none = ~u64{0};
    static constexpr u64 freed = 1;
    static constexpr u64 unit = 16;
    u64 seal_of(u64 place) const { return (place + 1) * 0x9E37'79B9'7F4A'7C15 ^ m_salt; }

    Result<u64> place_of(std::byte* block) const;
    Header read(u64 place) const;
    void write(u64 place, Header header);

    std::span<std::byte> m_memory;
    u64 m_salt = 0;    ///< other than that of a heap that had this memory before
    u64 m_end = 0;     ///< everything from here on was never taken, or is free again
    u64 m_last = none; ///< where the last header lies
    AllocatorStatistics m_statistics;
};
static_assert(Allocator<BumpHeap>);

} // namespace twofold::memory
