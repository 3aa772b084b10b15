// The metal machine: contexts are stack pointers.
#pragma once

#include "isa/context.hpp"

namespace hal {

using Context = isa::PlainContext;

} // namespace hal
