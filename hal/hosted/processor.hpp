// The machine's side of one virtual CPU: the stack that its signals run on, what they work on, and
// the way into its kernel.
#pragma once

#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/host_counters.hpp"
#include "hal/hosted/signals.hpp"

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <thread>

namespace hosted {

class Processor {
public:
    /// A processor whose shared part lies at `place`. The error is one line.
    static std::expected<std::unique_ptr<Processor>, std::string>
    create(GuestCpu* place, Mmu& mmu, Image const& image);
    Processor(Processor const&) = delete;
    Processor& operator=(Processor const&) = delete;
    ~Processor();

    GuestCpu& cpu() { return m_signals.cpu; }
    SignalTarget& signals() { return m_signals; }
    SignalTarget const& signals() const { return m_signals; }
    SignalStack const& signal_stack() const { return *m_signal_stack; }

    // Of a processor with a thread of its own.
    std::thread thread;
    std::atomic<bool> has_arrived = false; ///< it is about to enter its kernel
    bool is_done = false;                  ///< it has left it for good; Machine's lock

    HostCounters counters;

    /// The calling thread runs the processor from now on: signals go there. Its deadline is set
    /// anew.
    void arrive();
    /// The thread does not run it any more.
    void leave();
    /// Whether a thread is on the way into its kernel, or in it.
    bool is_running();
    /// The processor rests, unless something is pending for it already: then false.
    bool rest();
    /// What made the program look again is seen.
    void forget_wake();
    /// Continues the kernel until it asks for something, in a SignalScope with GS set.
    void enter_kernel();
    /// For a kernel that starts over.
    void forget();
    /// Empties what a sanitizer holds against its stacks: their frames will not be left in order.
    void forget_stacks();

private:
    Processor(
        GuestCpu& cpu, Mmu& mmu, Image const& image, std::unique_ptr<SignalStack> signal_stack);

    SignalTarget m_signals;
    std::unique_ptr<SignalStack> m_signal_stack;
};

} // namespace hosted
