// The end of a run on the hosted machine: control goes back to whoever runs the machine.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

struct Power {
    [[noreturn]] static void exit(u8 status);
    [[noreturn]] static void reset();
};

} // namespace hal
