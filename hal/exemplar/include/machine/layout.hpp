// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "hal/layout.hpp"

namespace hal {

struct Layout {
    static KernelLayout current();
};

} // namespace hal
