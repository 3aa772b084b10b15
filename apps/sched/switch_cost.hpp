// What a switch of the dispatcher costs on this host: measured, for runs that are to charge it.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace twofold::lab {

/// The nanoseconds that a yield takes, from one to the other of two threads without parameters of
/// their own, in the dispatcher with a queue under the policy (the name of a class): the median of
/// many batches, 1 at least. What a processor needs to change its registers and its caches is not
/// in it. Takes some ten milliseconds.
Nanos measure_switch_cost(std::string_view policy);

} // namespace twofold::lab
