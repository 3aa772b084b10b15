// The threads of the kernel: how they begin, and the commands that show and steer them.
#pragma once

#include "core/boot/command.hpp"

#include <span>

namespace twofold::boot {

/// What runs becomes the thread `main`. A machine without interrupts or without a clock goes on
/// without threads. What Composition::open_threads leads to.
Result<void> open_threads(Kernel& kernel);

/// The commands ps, top, sched, threads, nice, affinity.
CommandTable thread_commands();

} // namespace twofold::boot
