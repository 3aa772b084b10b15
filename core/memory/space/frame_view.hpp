// Frames as the kernel sees them through the linear window.
#pragma once

#include "core/base/base.hpp"
#include "hal/memory.hpp"

#include <span>

namespace twofold::memory {

/// The bytes of [frame, frame + size). O(1).
inline std::span<std::byte> frame_bytes(PhysAddr frame, Bytes size) {
    return {hal::Memory::linear(frame), size.value};
}

/// What lies at the beginning of a frame. The caller vouches that a T does, or is about to. O(1).
template<class T>
T* frame_object(PhysAddr frame) {
    return room_for<T>(hal::Memory::linear(frame));
}

/// The frame that the object at `pointer`, seen through the linear window, lies in. O(1).
inline PhysAddr frame_of(void const* pointer) {
    return align_down(hal::Memory::physical(pointer), page_size);
}

/// 2^order pages.
constexpr Bytes block_size(unsigned order) {
    return page_size * (u64{1} << order);
}

} // namespace twofold::memory
