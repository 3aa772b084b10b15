// With what a thread runs.
#pragma once

#include "core/sched/sched.hpp"

namespace twofold::task {

using Classes = sched::KernelClasses;
using Parameters = Classes::Parameters;

/// Those of a thread that asks for nothing else.
inline Parameters default_parameters() {
    return Parameters::of<sched::Eevdf>({});
}

} // namespace twofold::task
