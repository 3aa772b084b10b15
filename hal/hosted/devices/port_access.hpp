// How a virtual processor asks for one access to a port: packed into the one word that a request
// has room for beside the value.
#pragma once

#include "core/base/base.hpp"

namespace hosted {

using namespace twofold;

struct PortAccess {
    u16 port = 0;
    u32 width = 0; ///< bytes: 1, 2 or 4
};

constexpr u64 pack(PortAccess const& access) {
    return u64{access.width} << 16 | access.port;
}
constexpr PortAccess unpack_port(u64 word) {
    return {.port = static_cast<u16>(word), .width = static_cast<u8>(word >> 16)};
}
static_assert(unpack_port(pack(PortAccess{0xfffe, 4})).port == 0xfffe);
static_assert(unpack_port(pack(PortAccess{0xfffe, 4})).width == 4);

} // namespace hosted
