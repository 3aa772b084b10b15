// The exemplar machine: the contract as bare declarations. Compiled, never linked.
#pragma once

#include "core/base/base.hpp"

namespace hal {

using namespace twofold;

struct Power {
    [[noreturn]] static void exit(u8 status);
    [[noreturn]] static void reset();
};

} // namespace hal
