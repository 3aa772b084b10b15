// The metal machine: registers of devices in memory.
#pragma once

#include "isa/device_access.hpp"

namespace hal {

using namespace twofold;

struct Io : isa::DeviceAccess {};

} // namespace hal
