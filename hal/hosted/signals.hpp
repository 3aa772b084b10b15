// Synchronous faults: from the host's signal to the MMU, to the kernel, or to the end.
//
// While a kernel runs on a thread, a fault signal there is the processor's exception: the handler
// fills the TLB and retries, or makes the kernel continue in its fault upcall, or, where even that
// is impossible, ends the kernel and lets Machine::run return. It runs on an alternate stack, since
// the interrupted one may be the cause, and does nothing but edit the interrupted context.
//
// A fault of the process outside of kernel code is a crash: reported on stderr with the status
// `crash_status` where the program asked for it, else left to whoever handled the signal before.
#pragma once

#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/image.hpp"
#include "hal/hosted/mmu.hpp"

#include <atomic>
#include <csignal>
#include <expected>
#include <memory>
#include <span>
#include <string>

namespace hosted {

/// What the handler works on while a kernel runs.
struct SignalTarget {
    GuestCpu& cpu;
    Mmu& mmu;
    Image const& image;
    /// The last fault that was answered by filling, and how often in a row: it must make progress.
    u64 repeated_instruction = 0;
    u64 repeated_address = 0;
    u64 repeated_generation = 0; ///< of the MMU
    u32 repetitions = 0;
    std::atomic<bool> stop_requested = false; ///< the kernel is to be left
    usize report_size = 0;                    ///< bytes of `report`, when the kernel was ended
    char report[8192] = {};

    /// For a kernel that starts over.
    void forget() {
        stop_requested = false;
        report_size = 0;
    }
};

/// An alternate signal stack with a guard page below it.
class SignalStack {
public:
    /// The error is one line.
    static std::expected<std::unique_ptr<SignalStack>, std::string> create();
    SignalStack(SignalStack const&) = delete;
    SignalStack& operator=(SignalStack const&) = delete;
    ~SignalStack();

    stack_t description() const;

private:
    explicit SignalStack(std::span<std::byte> whole) : m_whole(whole) {}
    std::span<std::byte> m_whole;
};

/// Makes this thread's faults those of `target` as long as it lives, on `stack`; within another
/// scope, on that one's stack, which costs no system call.
class SignalScope {
public:
    SignalScope(SignalTarget& target, SignalStack const& stack);
    SignalScope(SignalScope const&) = delete;
    SignalScope& operator=(SignalScope const&) = delete;
    ~SignalScope();

    /// Whose faults are this thread's from now on; one scope is enough for several processors.
    static void turn_to(SignalTarget& target);

private:
    SignalTarget* m_target_before;
    stack_t m_stack_before; ///< where this is the outermost scope
};

/// An action that lets nothing else interrupt the handler but a fault inside of it.
struct sigaction signal_action(void (*handler)(int, siginfo_t*, void*));

/// The signals that faults arrive by.
std::span<int const> fault_signals();

/// The status of a process whose machine crashed.
inline constexpr int crash_status = 71;

/// From now on a crash of the process calls `before` (which must be signal-safe; for terminals),
/// reports itself on stderr, and ends with `crash_status`. For the main function of a program.
void install_crash_report(void (*before)());

} // namespace hosted
