// What a signal handler does with the kernel code that it interrupted: keep its registers, make it
// continue elsewhere, or end it. Every function here is signal-safe.
#pragma once

#include "hal/hosted/report.hpp"
#include "hal/hosted/signals.hpp"

namespace hosted {

/// What host code that the kernel calls may use below its stack pointer.
inline constexpr u64 red_zone_bytes = 128;

/// Whether the kernel computes on a stack of its own, is not about to leave it, and goes on as the
/// context of a signal that somebody sent says.
bool is_computing(GuestCpu const& cpu);

/// The interrupted general registers.
FaultFrame frame_of(ucontext_t const& context);

/// Makes the interrupted context continue at `entry` with `argument`, on the stack that ends at
/// `stack` or below, aligned to 64 bytes.
void redirect(ucontext_t& context, u64 entry, u64 argument, u64 stack);

/// Ends the kernel: the interrupted context continues in Machine, which the kernel's last switch
/// left. `why` completes the sentence "the machine ended its kernel: ".
void end_kernel(SignalTarget& target, ucontext_t& context, siginfo_t const& info, char const* why);

/// Asks for the end of the kernel of `target`: at once where it computes; where it waits for the
/// machine, the machine sees it before it answers.
void stop_kernel(SignalTarget& target, siginfo_t const& info, ucontext_t& context);

/// Makes the interrupted kernel code continue in its fault upcall with a non-maskable interrupt.
void raise_non_maskable(SignalTarget& target, ucontext_t& context, siginfo_t const& info);

/// Reads words for reports, as the kernel of `target` sees them.
WordReader reader_of(SignalTarget const& target);

/// The lines that tell where a kernel stands that waits for the machine.
void write_suspended_kernel(Output const& out, SignalTarget const& target);

} // namespace hosted
