// The values that the contract of hal/dma.hpp speaks of.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

namespace detail {

struct DeviceSpace;

} // namespace detail

/// An address as a device sees memory. Which physical address it stands for is the machine's: no
/// kernel code computes one from the other.
using DmaAddress = twofold::detail::Address<detail::DeviceSpace>;

/// Which way data goes.
enum class DmaDirection : u8 {
    to_device = 1,   ///< the device reads
    from_device = 2, ///< the device writes
    both = 3,
};

/// Whose view of memory it is. The default: of a device that the machine knows nothing of.
struct DmaDomain {
    static constexpr u32 none = ~u32{0};
    u32 number = none;

    constexpr bool operator==(DmaDomain const&) const = default;
};

} // namespace hal
