// The metal machine: the end of a run.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

struct Power {
    /// Tells an emulator's debug-exit device (port 0xf4; QEMU then ends with status * 2 + 1); where
    /// there is none the processor stops for good.
    [[noreturn]] static void exit(u8 status);
    /// By the keyboard controller; where that does not answer, by a triple fault.
    [[noreturn]] static void reset();
};

} // namespace hal
