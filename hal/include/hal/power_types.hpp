// The values that the contract of hal/power.hpp speaks of.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

/// A write to a register of the machine: to a port, or to a device's memory that is mapped. Bits of
/// `keep` stay as they are read.
struct RegisterWrite {
    enum class Space : u8 { none, port, memory } space = Space::none;
    u8 bytes = 0;    ///< 1, 2 or 4
    u16 port = 0;    ///< in space `port`
    VirtAddr view{}; ///< in space `memory`, naturally aligned
    u32 keep = 0;
    u32 value = 0;
};

/// How firmware says that the machine is switched off and started anew.
struct PowerPlan {
    /// To be written before the registers are the kernel's: the lowest bit of the first of
    /// `power_off` then says when they are. Space none: they are already.
    RegisterWrite take_over;
    RegisterWrite power_off[2]; ///< one after the other
    RegisterWrite reset;
};

} // namespace hal
