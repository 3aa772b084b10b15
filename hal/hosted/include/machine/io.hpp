// The hosted machine: the registers of a device lie in simulated memory, which its model shares.
#pragma once

#include "isa/device_access.hpp"

namespace hal {

using namespace twofold;

struct Io : isa::DeviceAccess {};

} // namespace hal
