// How a virtual processor asks for one access to configuration space: packed into the one word that
// a request has room for beside the value.
#pragma once

#include "hal/pci_types.hpp"

namespace hosted {

using namespace twofold;

struct PciAccess {
    hal::PciAddress function;
    u32 offset = 0;
    u32 width = 0; ///< bytes: 1, 2 or 4
};

constexpr u64 pack(PciAccess const& access) {
    return u64{access.function.segment} << 48 | u64{access.function.bus} << 40 |
           u64{access.function.device} << 32 | u64{access.function.function} << 24 |
           u64{access.width} << 16 | access.offset;
}

constexpr PciAccess unpack(u64 word) {
    return {
        .function =
            {static_cast<u16>(word >> 48), static_cast<u8>(word >> 40), static_cast<u8>(word >> 32),
             static_cast<u8>(word >> 24)},
        .offset = static_cast<u16>(word),
        .width = static_cast<u8>(word >> 16)};
}
static_assert(unpack(pack({{1, 2, 3, 4}, 0xffc, 4})).function == hal::PciAddress{1, 2, 3, 4});
static_assert(unpack(pack({{1, 2, 3, 4}, 0xffc, 4})).offset == 0xffc);

} // namespace hosted
