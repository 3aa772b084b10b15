// The metal machine: the end of a run.
#pragma once

#include "hal/power_types.hpp"

namespace hal {

struct Power {
    static void adopt(PowerPlan const& plan);
    /// Tells an emulator's debug-exit device (port 0xf4; QEMU then ends with status * 2 + 1); where
    /// there is none, soft off (S5) as firmware's tables say; else the processor stops for good.
    [[noreturn]] static void exit(u8 status);
    /// By the register that firmware's tables name, by the keyboard controller; where neither
    /// answers, by a triple fault.
    [[noreturn]] static void reset();
};

} // namespace hal
