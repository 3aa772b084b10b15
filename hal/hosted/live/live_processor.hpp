// A virtual CPU as a thread of the host; interrupts as signals: how it is told that something is
// pending for it, and what the signal does there.
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

#include "hal/hosted/live/host_counters.hpp"
#include "hal/hosted/live/host_timer.hpp"
#include "hal/hosted/processor.hpp"

#include <atomic>
#include <csignal>
#include <expected>
#include <memory>
#include <string>
#include <thread>

namespace hosted {

/// Ignored where nobody handles it, used by no library, and passed on by debuggers in silence.
inline constexpr int interrupt_signal = SIGURG;

class LiveProcessor {
public:
    /// The error is one line.
    static std::expected<std::unique_ptr<LiveProcessor>, std::string> create(Processor& processor);
    LiveProcessor(LiveProcessor const&) = delete;
    LiveProcessor& operator=(LiveProcessor const&) = delete;
    ~LiveProcessor();

    Processor& processor() { return m_processor; }
    GuestCpu& cpu() { return m_processor.cpu(); }
    SignalTarget& signals() { return m_processor.signals(); }
    SignalStack const& signal_stack() const { return *m_signal_stack; }

    // Of a processor with a thread of its own.
    std::thread thread;
    std::atomic<bool> has_arrived = false; ///< it is about to enter its kernel
    bool is_done = false;                  ///< it has left it for good; the engine's lock

    HostCounters counters;

    /// The calling thread runs the processor from now on: signals go there. Its deadline is set
    /// anew.
    void arrive();
    /// The thread does not run it any more.
    void leave();
    /// Whether a thread is on the way into its kernel, or in it.
    bool is_running();
    RunState run_state();
    /// The processor rests, unless something is pending for it already: then false.
    bool rest();
    int wake_descriptor() const { return m_wake_descriptor; }
    /// What made the program look again is seen.
    void forget_wake();
    /// For a kernel that starts over.
    void forget();
    /// Lets the calling thread have the signals that a processor needs, and no others.
    static void unblock();

    /// Asks the processor to leave its kernel for good. Where it cannot just then, it has to be
    /// asked again. Signal-safe.
    void ask_to_leave();
    /// Tells it that something is pending for it. Signal-safe. At most one system call.
    void notify();
    /// Raises `vector`. Signal-safe.
    void raise(hal::Vector vector);
    /// There may be input: its next sleep ends.
    void note_input();

    // On its thread.

    /// Leaves a mark for the kernel's next safe point if something is pending. Signal-safe.
    void note_pending();
    /// Looks whether the deadline has passed, and sets the host's timer to what is left. `fired`:
    /// that timer has. Signal-safe.
    void check_deadline(bool fired);
    /// Sleeps until something is pending for it, or may be, or it is asked to leave.
    void sleep_until_notified();
    /// What the interrupt signal does.
    void handle(siginfo_t const& info, ucontext_t& context);

private:
    LiveProcessor(Processor& processor, std::unique_ptr<SignalStack> signal_stack)
        : m_processor(processor), m_signal_stack(std::move(signal_stack)) {}

    u32* futex_word();
    bool change_state(RunState from, RunState to);
    void set_run_state(RunState state);
    void set_timer(i64 now_ns);

    Processor& m_processor;
    std::unique_ptr<SignalStack> m_signal_stack;
    /// The thread that runs the processor, and its process; for whoever signals it.
    std::atomic<pid_t> m_thread = 0;
    std::atomic<pid_t> m_process = 0;
    HostTimer m_timer;
    int m_wake_descriptor = -1;            ///< wakes a program that waits while this one rests
    std::atomic<bool> m_has_input = false; ///< its next sleep is to end: there may be input
};

/// The machine's time, as its kernel sees it. Signal-safe.
i64 machine_now_ns(GuestCpu const& cpu);

} // namespace hosted
