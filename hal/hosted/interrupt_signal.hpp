// Interrupts as signals: how a virtual CPU is told that something is pending for it, and what the
// signal does there.
//
// The words that are set first, and their rules: guest/interrupt_words.hpp. A processor that runs
// is told by a signal directed at its thread, once until it has taken it; one that sleeps, by its
// run state; one that rests (Machine::run has returned), by a descriptor. The state is read after
// the word was set, and whoever goes to sleep looks at the words after it has changed the state: so
// one of them sees the other.
//
// The handler makes interrupted kernel code continue in hosted_interrupt_entry, if interrupts are
// enabled and it stands where it can be interrupted. Else it leaves `attention` behind.
#pragma once

#include "hal/hosted/signals.hpp"

#include <csignal>

namespace hosted {

/// Ignored where nobody handles it, used by no library, and passed on by debuggers in silence.
inline constexpr int interrupt_signal = SIGURG;

/// The machine's time, as its kernel sees it. Signal-safe.
i64 machine_now_ns(GuestCpu const& cpu);

/// Leaves a mark for the kernel's next safe point if something is pending. On the processor's
/// thread. Signal-safe.
void note_pending(GuestCpu& cpu);

/// What the processor does from now on; what was raised before is seen by who looks after this.
void set_run_state(SignalTarget& target, RunState state);

RunState run_state(SignalTarget& target);

/// Asks the processor of `target` to leave its kernel for good. Where it cannot just then, it has
/// to be asked again. Signal-safe.
void ask_to_leave(SignalTarget& target);

/// Tells the processor of `target` that something is pending for it. Signal-safe. At most one
/// system call.
void notify(SignalTarget& target);

/// Raises `vector` on the processor of `target`. Signal-safe.
void raise_interrupt(SignalTarget& target, hal::Vector vector);

/// Looks whether the processor's deadline has passed, and sets the host's timer to what is left.
/// `fired`: that timer has. On the processor's thread. Signal-safe.
void check_deadline(SignalTarget& target, bool fired);

/// Sleeps until something is pending for the processor, or may be, or it is asked to leave. On its
/// thread.
void sleep_until_notified(SignalTarget& target);

/// The signal on a thread that runs the processor of `target`.
void handle_interrupt(SignalTarget& target, siginfo_t const& info, ucontext_t& context);

} // namespace hosted
