// The other processors: how they are started, and what they do when they have nothing to do.
#pragma once

#include "core/boot/command.hpp"

namespace twofold::boot {

struct PerCpu;

/// The loop of a processor without work: sleeps until an interrupt has been taken, again and again.
[[noreturn]] void run_idle(PerCpu& cpu);

} // namespace twofold::boot
