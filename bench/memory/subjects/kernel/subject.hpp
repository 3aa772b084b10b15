// The allocator that is measured: the kernel's heap as it is shipped, with its assertions and with
// interrupts off inside every operation. The build chooses between this file and its twin in
// malloc/ by include path.
#pragma once

#include <cstddef>

namespace subject {

/// A block of at least `size` bytes; null if there is no memory.
void* take(std::size_t size);
void* take_aligned(std::size_t size, std::size_t alignment);
/// `block` with another size, moved if need be.
void* resize(void* block, std::size_t size);
void give(void* block);
std::size_t usable_size(void* block);

} // namespace subject
