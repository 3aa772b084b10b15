// What an allocator of the kernel offers. Containers, tests, fault injection and benchmarks are
// written against this concept; docs/guides/write-an-allocator.md shows how to model it.
#pragma once

#include "core/base/base.hpp"

#include <concepts>
#include <cstddef>

namespace twofold::memory {

/// What an allocator holds and hands out. `*_ever` sum up over its life, so that
/// 1 - requested_ever / reserved_ever is its internal fragmentation.
struct AllocatorStatistics {
    Bytes reserved{};       ///< in blocks that are handed out, rounding included
    Bytes cached{};         ///< in blocks that rest in caches
    Bytes committed{};      ///< accessible memory that it holds, its own tables included
    Bytes requested_ever{}; ///< what callers asked for
    Bytes reserved_ever{};  ///< what they were given for it
};

/// The alignment of a block unless more is asked for.
inline constexpr Bytes default_alignment{16};

/// Blocks of any size. Unless it says otherwise an allocator is for one context at a time; the heap
/// is for any. Errors of allocate and resize: invalid_argument (size 0, an alignment that is no
/// power of two), out_of_memory. Errors of free, resize and usable_size about the block:
/// out_of_range (it lies outside of the allocator's memory), invalid_argument (no block begins
/// there), invalid_state (the block is free already).
template<class A>
concept Allocator =
    requires(A a, A const& constant, Bytes size, Bytes alignment, std::byte* block) {
        /// A block of at least `size` bytes at a multiple of `alignment`. Its content is undefined.
        { a.allocate(size, alignment) } -> std::same_as<Result<std::byte*>>;
        /// Takes a block back.
        { a.free(block) } -> std::same_as<Result<void>>;
        /// Gives a block another size, in place or by moving it with its content, as far as both
        /// sizes reach; returns where it is. On an error the block is as it was.
        { a.resize(block, size, alignment) } -> std::same_as<Result<std::byte*>>;
        /// How many bytes of the block may be used; at least what was asked for.
        { a.usable_size(block) } -> std::same_as<Result<Bytes>>;
        { constant.statistics() } -> std::same_as<AllocatorStatistics>;
        /// Walks the allocator's own structures. Errors: corrupted. O(all it holds); nothing else
        /// may run in it meanwhile.
        { a.verify() } -> std::same_as<Result<void>>;
    };

} // namespace twofold::memory
