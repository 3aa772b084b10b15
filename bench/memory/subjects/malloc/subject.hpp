// The allocator that is measured: whatever malloc and free are in this process (LD_PRELOAD
// chooses). The build chooses between this file and its twin in kernel/ by include path.
#pragma once

#include <cstddef>
#include <cstdlib>

namespace subject {

inline void* take(std::size_t size) {
    return std::malloc(size);
}
inline void give(void* block) {
    std::free(block);
}

} // namespace subject
