// Objects in memory that driver and device share: read and written whole, at physical addresses.
#pragma once

#include "hal/memory.hpp"

#include <cstring>

namespace twofold::device::virtio {

/// The object of bytes at `place`, or those of an object there. Any context; O(size).
template<class T>
T load(PhysAddr place) {
    T value;
    std::memcpy(&value, hal::Memory::linear(place), sizeof(value));
    return value;
}

template<class T>
void store(PhysAddr place, T const& value) {
    std::memcpy(hal::Memory::linear(place), &value, sizeof(value));
}

} // namespace twofold::device::virtio
