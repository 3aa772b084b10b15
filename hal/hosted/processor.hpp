// The machine's side of one virtual CPU: the stack that its signals run on, what they work on, and
// the way into its kernel.
#pragma once

#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/signals.hpp"

#include <expected>
#include <memory>
#include <string>

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

    /// The calling thread runs the processor from now on: signals go there. Its deadline is set
    /// anew.
    void arrive();
    /// The processor rests, unless something is pending for it already: then false.
    bool rest();
    /// What made the program look again is seen.
    void forget_wake();
    /// Continues the kernel until it asks for something, in a SignalScope with GS set.
    void enter_kernel();
    /// Empties what a sanitizer holds against its stacks: their frames will not be left in order.
    void forget_stacks();

private:
    Processor(
        GuestCpu& cpu, Mmu& mmu, Image const& image, std::unique_ptr<SignalStack> signal_stack);

    SignalTarget m_signals;
    std::unique_ptr<SignalStack> m_signal_stack;
};

} // namespace hosted
