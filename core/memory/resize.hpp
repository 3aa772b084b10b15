// Resizing for allocators whose blocks keep their length: in place if the block is long enough,
// else by a move.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/memory/heap/raw.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::memory {

/// What the concept Allocator asks of `resize`. O(size) if the block moves.
template<class A>
Result<std::byte*> resize_by_moving(A& allocator, std::byte* block, Bytes size, Bytes alignment) {
    if (size.value == 0 || !is_power_of_two(alignment.value)) {
        return Error::invalid_argument;
    }
    Bytes const usable = TRY(allocator.usable_size(block));
    if (size <= usable && is_aligned(heap::address_of(block), alignment.value)) {
        return block;
    }
    std::byte* const moved = TRY(allocator.allocate(size, alignment));
    std::memcpy(moved, block, std::min(size, usable).value);
    TRY(allocator.free(block));
    return moved;
}

} // namespace twofold::memory
