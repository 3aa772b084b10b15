// The hosted machine's layout: the windows that the machine reserved (hal/hosted/windows.hpp).
#pragma once

#include "hal/layout.hpp"

namespace hal {

struct Layout {
    static KernelLayout current();
};

} // namespace hal
