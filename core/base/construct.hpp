// std::construct_at, std::destroy_at and std::addressof, for room whose objects begin and end by
// hand.
//
// The standard promises them in <memory>, which costs as much to read as all other headers of the
// kernel together; <optional> is made of them, on every library that the kernel is built with.
#pragma once

#include <optional>

namespace twofold {

/// Memory at `place` as room for objects of T, none of which need exist. The caller sees to
/// alignment and size. O(1).
template<class T>
T* room_for(void* place) {
    return static_cast<T*>(place);
}

} // namespace twofold
