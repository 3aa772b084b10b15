// The other processors: how they are started, and what they do when they have nothing to do.
#pragma once

#include "core/boot/command.hpp"

namespace twofold::boot {

struct PerCpu;

/// Starts every processor that the topology names. One that does not answer is reported, and the
/// kernel goes on with the others. A step of the start-up.
Result<void> start_processors(Kernel& kernel);

/// The loop of a processor without work: runs the jobs that others delegate to it, and sleeps until
/// an interrupt has been taken, again and again. Interrupts are off, but for jobs and the sleep.
[[noreturn]] void run_idle(PerCpu& cpu);

} // namespace twofold::boot
