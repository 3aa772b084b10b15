// The hosted machine's contexts are stack pointers, as on metal. An interrupt may come between any
// two instructions of a switch: the stack pointer leads to one of the two stacks, and neither has
// anything below it. The build chooses between this file and its twin in watched/ by include path.
#pragma once

#include "isa/context.hpp"

namespace hal {

using Context = isa::PlainContext;

} // namespace hal
