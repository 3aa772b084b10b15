// The commands that show processors, interrupts and deadlines, and that measure them.
#pragma once

#include "core/boot/command.hpp"
#include "core/processor/processor.hpp"

namespace twofold::boot {

/// The command `cpus`: what each processor is and does, and what can be counted.
u8 show_processors(CommandContext& context);
/// The command `irq`: vectors, their handlers and counts, lines.
u8 show_interrupts(CommandContext& context);
/// The command `timers`: the clock, deadlines that wait, and how late they were.
u8 show_timers(CommandContext& context);
/// How late the deadlines of a processor that runs have been, as of now. Context thread, interrupts
/// on.
processor::Histogram lateness_of(Kernel& kernel, CpuId id);
/// The command `irq-bench [ROUNDS]`: from raising an interrupt to its handler, and what holding
/// interrupts back costs.
u8 measure_interrupts(CommandContext& context);
/// The command `ipi-bench [ROUNDS]`: round trips between each two processors.
u8 measure_calls(CommandContext& context);
/// The command `jitter [MILLISECONDS]`: how late periodic deadlines are on each processor while the
/// boot processor computes and allocates (after cyclictest).
u8 measure_jitter(CommandContext& context);
/// The command `switch-bench [ROUNDS]`: from one stack to another, without and with extended
/// registers.
u8 measure_switches(CommandContext& context);

} // namespace twofold::boot
